/* Names out of ELF symbol tables and DWARF, by libdw. Each module has a session of its own there, so that
 * programs that are linked to fixed addresses can not lie in each other's way. */
#include "harness/trace/symbols.h"
#include "harness/trace/cxx_name.h"
#include "harness/trace/text.h"
#include "harness/trace/texts.h"

#include <stdlib.h>
#include <string.h>

#ifdef HM_HAS_LIBDW
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

enum {
    INLINED_MAX = 32, /* at one address */
    BUILD_ID_MAX = 64,
    NOTES_MAX = 8,
};

enum module_state {
    MODULE_NEW, /* not looked at yet */
    MODULE_GOOD,
    MODULE_UNREADABLE,
    MODULE_CHANGED,
    MODULE_NAMELESS, /* no file: the kernel's, or code made at run time */
};

struct module {
    const char *path;
    const char *build_id;
    enum module_state state;
    struct Dwfl *session;
    struct Dwfl_Module *module;
};

/* What was found at one address. */
struct place {
    struct hm_symbol *symbols;
    size_t count;
};

struct hm_symbols {
    struct hm_texts texts; /* all that is handed out */
    struct hm_texts module_keys;
    struct hm_texts place_keys;
    struct module *modules; /* by module_keys, as places by place_keys */
    struct place *places;
    size_t module_room, place_room;
};

/* Room for one more; doubled. @return the array, or NULL: no memory, and the old one stays */
static void *need_room(void *array, size_t *room, size_t index, size_t size) {
    if (index < *room)
        return array;
    size_t more = index + index / 2 + 64;
    char *grown = reallocarray(array, more, size);
    if (!grown)
        return NULL;
    memset(grown + *room * size, 0, (more - *room) * size);
    *room = more;
    return grown;
}

static const char *keep(struct hm_symbols *s, const char *text) {
    uint32_t word = hm_texts_add(&s->texts, text ? text : "");
    return word == HM_TEXT_NONE ? NULL : hm_texts_text(&s->texts, word);
}

#ifdef HM_HAS_LIBDW

/* libstdc++'s; Google Benchmark brings it along. */
char *__cxa_demangle(const char *mangled, char *out, size_t *size, int *status);

/* ---- Modules ---- */

static const Dwfl_Callbacks callbacks = {
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

static int open_regular(const char *path) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return -1;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode))
        return file;
    close(file);
    return -1;
}

static void build_id_of(Dwfl_Module *module, char text[BUILD_ID_MAX * 2 + 1]) {
    const unsigned char *bits = NULL;
    GElf_Addr where;
    int bytes = dwfl_module_build_id(module, &bits, &where);
    text[0] = '\0';
    for (int i = 0; i < bytes && i < BUILD_ID_MAX; i++)
        snprintf(text + 2 * (size_t)i, 3, "%02x", bits[i]);
}

static enum module_state look_at(struct module *m) {
    char build_id[BUILD_ID_MAX * 2 + 1];
    GElf_Addr bias;
    if (m->path[0] != '/')
        return MODULE_NAMELESS;
    int file = open_regular(m->path);
    if (file < 0)
        return MODULE_UNREADABLE;
    m->session = dwfl_begin(&callbacks);
    m->module = m->session ? dwfl_report_elf(m->session, m->path, m->path, file, 0, true) : NULL;
    if (!m->module) {
        close(file);
        return MODULE_UNREADABLE;
    }
    dwfl_report_end(m->session, NULL, NULL);
    if (!dwfl_module_getelf(m->module, &bias))
        return MODULE_UNREADABLE;
    build_id_of(m->module, build_id);
    return strcmp(build_id, m->build_id) == 0 ? MODULE_GOOD : MODULE_CHANGED;
}

static void end_module(struct module *m) {
    if (m->session)
        dwfl_end(m->session);
    m->session = NULL;
}

/* ---- Names ---- */

static const char *keep_demangled(struct hm_symbols *s, const char *name) {
    int status;
    char *plain =
        name && strncmp(name, "_Z", 2) == 0 ? __cxa_demangle(name, NULL, NULL, &status) : NULL;
    if (plain)
        hm_cxx_shorten(plain);
    const char *kept = keep(s, plain ? plain : name);
    free(plain);
    return kept;
}

static const char *linkage_name(Dwarf_Die *die) {
    Dwarf_Attribute attribute;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute))
        return dwarf_formstring(&attribute);
    return dwarf_diename(die);
}

/* Only a symbol that says how long it is can say that an address is in it. */
static const char *symbol_name(Dwfl_Module *module, GElf_Addr address) {
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
    return name && offset < symbol.st_size ? name : NULL;
}

/* The compilation unit of an address. libdw finds it by a table that clang does not write; then every
 * unit is asked. */
static Dwarf_Die *unit_at(Dwfl_Module *module, GElf_Addr address, Dwarf_Addr *bias) {
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);
    if (unit)
        return unit;
    while ((unit = dwfl_module_nextcu(module, unit, bias)))
        if (dwarf_haspc(unit, address - *bias) > 0)
            return unit;
    return NULL;
}

static void find_line(struct hm_symbols *s, Dwarf_Die *unit, Dwarf_Addr address,
                      struct hm_symbol *out) {
    Dwarf_Line *line = unit ? dwarf_getsrc_die(unit, address) : NULL;
    const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
    if (!file || dwarf_lineno(line, &out->line))
        out->line = 0;
    out->file = keep(s, file);
}

/* Where an inlined function is called from. */
static void find_call(struct hm_symbols *s, Dwarf_Die *inlined, Dwarf_Die *unit,
                      struct hm_symbol *caller) {
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0;
    Dwarf_Word line = 0;
    Dwarf_Files *files;
    size_t count = 0;
    dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file);
    dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line);
    bool known = dwarf_getsrcfiles(unit, &files, &count) == 0 && file && file < count;
    caller->file = keep(s, known ? dwarf_filesrc(files, file, NULL, NULL) : NULL);
    caller->line = known && line < INT32_MAX ? (int)line : 0;
}

/* From the innermost scope outwards to the function that is really there. */
static size_t walk_scopes(struct hm_symbols *s, Dwarf_Die *scopes, int count, Dwarf_Die *unit,
                          struct hm_symbol *out) {
    size_t found = 0;
    for (int i = 0; i < count && found < INLINED_MAX; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        out[found].function = keep_demangled(s, linkage_name(&scopes[i]));
        found++;
        if (tag == DW_TAG_subprogram)
            break;
        if (found < INLINED_MAX)
            find_call(s, &scopes[i], unit, &out[found]);
    }
    return found;
}

/* @return how many functions DWARF knows at an address; the first one's line is known already */
static size_t find_scopes(struct hm_symbols *s, Dwarf_Die *unit, Dwarf_Addr address,
                          struct hm_symbol *out) {
    Dwarf_Die *inner = NULL;
    Dwarf_Die *scopes = NULL;
    size_t found = 0;
    if (unit && dwarf_getscopes(unit, address, &inner) > 0) {
        int count = dwarf_getscopes_die(&inner[0], &scopes);
        found = count > 0 ? walk_scopes(s, scopes, count, unit, out) : 0;
    }
    free(scopes);
    free(inner);
    return found;
}

/* ---- Where functions begin ---- */

/* Stripped programs keep what unwinds their stacks: .eh_frame_hdr is a sorted table of where functions begin,
 * as pairs of 32 bits relative to the section. @return NULL: there is none of this kind */
static Elf_Data *find_starts(struct module *m, GElf_Addr *section_address) {
    GElf_Addr bias;
    GElf_Shdr head;
    size_t names;
    Elf *elf = dwfl_module_getelf(m->module, &bias);
    if (elf_getshdrstrndx(elf, &names) != 0)
        return NULL;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        const char *name =
            gelf_getshdr(section, &head) ? elf_strptr(elf, names, head.sh_name) : NULL;
        if (!name || strcmp(name, ".eh_frame_hdr") != 0)
            continue;
        Elf_Data *data = elf_rawdata(section, NULL);
        static const unsigned char usual[] = {1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_udata4,
                                              DW_EH_PE_datarel | DW_EH_PE_sdata4};
        *section_address = head.sh_addr;
        return data && data->d_size > 12 && memcmp(data->d_buf, usual, 4) == 0 ? data : NULL;
    }
    return NULL;
}

static int64_t start_at(const Elf_Data *data, size_t index) {
    int32_t offset;
    memcpy(&offset, (const char *)data->d_buf + 12 + 8 * index, sizeof offset);
    return offset;
}

/* The last start at or before an address. @return 0: not known */
static uint64_t find_entry(struct module *m, uint64_t address) {
    GElf_Addr section = 0;
    const Elf_Data *data = find_starts(m, &section);
    uint32_t count;
    if (!data)
        return 0;
    memcpy(&count, (const char *)data->d_buf + 8, sizeof count);
    size_t low = 0;
    size_t high = count < (data->d_size - 12) / 8 ? count : (data->d_size - 12) / 8;
    int64_t wanted = (int64_t)(address - section);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (start_at(data, middle) <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? section + (uint64_t)start_at(data, low - 1) : 0;
}

static size_t look_up(struct hm_symbols *s, struct module *m, uint64_t offset,
                      struct hm_symbol out[INLINED_MAX]) {
    GElf_Addr bias = 0;
    Dwarf_Addr unit_bias = 0;
    dwfl_module_getelf(m->module, &bias);
    Dwarf_Die *unit = unit_at(m->module, offset + bias, &unit_bias);
    find_line(s, unit, offset + bias - unit_bias, &out[0]);
    size_t found = find_scopes(s, unit, offset + bias - unit_bias, out);
    if (found)
        return found;
    const char *name = symbol_name(m->module, offset + bias);
    out[0].function = keep_demangled(s, name);
    out[0].entry = name ? 0 : find_entry(m, offset);
    return 1;
}

#else

static enum module_state look_at(struct module *m) {
    (void)m;
    return MODULE_UNREADABLE;
}

static void end_module(struct module *m) {
    (void)m;
}

static size_t look_up(struct hm_symbols *s, struct module *m, uint64_t offset,
                      struct hm_symbol out[INLINED_MAX]) {
    (void)m;
    (void)offset;
    out[0].function = out[0].file = keep(s, "");
    return 1;
}

#endif

/* ---- Places ---- */

static struct module *module_of(struct hm_symbols *s, const struct hm_trace_frame *frame) {
    char key[4096 + 256];
    snprintf(key, sizeof key, "%s %s", frame->build_id, frame->module);
    uint32_t word = hm_texts_add(&s->module_keys, key);
    if (word == HM_TEXT_NONE)
        return NULL;
    struct module *grown = need_room(s->modules, &s->module_room, word, sizeof *grown);
    if (!grown)
        return NULL;
    s->modules = grown;
    struct module *m = &s->modules[word];
    if (m->state == MODULE_NEW) {
        m->path = keep(s, frame->module);
        m->build_id = keep(s, frame->build_id);
        if (!m->path || !m->build_id)
            return NULL;
        m->state = look_at(m);
        if (m->state != MODULE_GOOD)
            end_module(m);
    }
    return m;
}

static int fill(struct hm_symbols *s, struct module *m, uint64_t offset, struct place *place) {
    struct hm_symbol found[INLINED_MAX] = {{0}};
    size_t count = 1;
    if (m->state == MODULE_GOOD)
        count = look_up(s, m, offset, found);
    place->symbols = calloc(count, sizeof *place->symbols);
    if (!place->symbols)
        return -1;
    for (size_t i = 0; i < count; i++) {
        place->symbols[i] = found[i];
        place->symbols[i].function = found[i].function ? found[i].function : "";
        place->symbols[i].file = found[i].file ? found[i].file : "";
        place->symbols[i].module = m->path;
        place->symbols[i].offset = offset;
        place->symbols[i].entry = found[i].entry ? found[i].entry : offset;
    }
    place->count = count;
    return 0;
}

size_t hm_symbols_at(struct hm_symbols *s, const struct hm_trace_frame *frame,
                     const struct hm_symbol **out) {
    char key[64];
    struct module *m = module_of(s, frame);
    if (!m)
        return 0;
    snprintf(key, sizeof key, "%zx %llx", (size_t)(m - s->modules),
             (unsigned long long)frame->offset);
    uint32_t word = hm_texts_add(&s->place_keys, key);
    if (word == HM_TEXT_NONE)
        return 0;
    struct place *grown = need_room(s->places, &s->place_room, word, sizeof *grown);
    if (!grown)
        return 0;
    s->places = grown;
    if (!grown[word].count && fill(s, m, frame->offset, &grown[word]))
        return 0;
    *out = grown[word].symbols;
    return grown[word].count;
}

/* ---- The whole ---- */

struct hm_symbols *hm_symbols_open(void) {
    return calloc(1, sizeof(struct hm_symbols));
}

static const char *complaint(const struct module *m) {
    if (m->state == MODULE_CHANGED)
        return "has changed since the recording: no names from it";
    return m->state == MODULE_UNREADABLE ? "can not be read: no names from it" : NULL;
}

void hm_symbols_put_notes(const struct hm_symbols *s, FILE *out, const char *who) {
    size_t notes = 0;
#ifndef HM_HAS_LIBDW
    if (s->module_keys.count)
        fprintf(out, "%s: built without libdw: addresses have no names\n", who);
    return;
#endif
    for (size_t i = 0; i < s->module_keys.count; i++) {
        const char *what = complaint(&s->modules[i]);
        if (!what || notes++ >= NOTES_MAX)
            continue;
        fprintf(out, "%s: ", who);
        hm_trace_put_text(out, s->modules[i].path, "", SIZE_MAX);
        fprintf(out, " %s\n", what);
    }
    if (notes > NOTES_MAX)
        fprintf(out, "%s: so it is with %zu modules more\n", who, notes - NOTES_MAX);
}

void hm_symbols_close(struct hm_symbols *s) {
    if (!s)
        return;
    for (size_t i = 0; i < s->module_keys.count && i < s->module_room; i++)
        end_module(&s->modules[i]);
    for (size_t i = 0; i < s->place_keys.count && i < s->place_room; i++)
        free(s->places[i].symbols);
    free(s->modules);
    free(s->places);
    hm_texts_free(&s->texts);
    hm_texts_free(&s->module_keys);
    hm_texts_free(&s->place_keys);
    free(s);
}
