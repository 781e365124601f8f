/* The flame graph's page: a head, the boxes, and which colour is which module. */
#include "harness/trace/flame_svg.h"
#include "harness/trace/text.h"
#include "harness/trace/xml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_WIDTH = 1200,
    EDGE = 14,
    HEAD = 62,
    FOOT = 40,
    BOX_HEIGHT = 18,
    MODULES_MAX = 256,
    LEGEND_MAX = 10,
    HEAVIEST = 5, /* paths that the description names */
};

static const double least_width = 0.4;   /* of a box that is drawn */
static const double letter_width = 6.63; /* of DejaVu Sans Mono at 11 px */
static const double plot_width = PAGE_WIDTH - 2 * EDGE;

/* ---- Colours ---- */

/* The program itself, the C library, and what others take by their name's hash. */
#define PROGRAM_COLOUR 0xF0A35E
#define LIBC_COLOUR    0xB7C3CF
#define ROOT_COLOUR    0xE4E4E4
#define NONE_COLOUR    0xD9D4CC

static const unsigned palette[] = {0x86B9DE, 0x8CCBA6, 0xCBA6DD, 0xE8CF6A,
                                   0xE39A9A, 0x8CCBCB, 0xBFCB7A, 0xA9ACE2};

enum {
    COLOURS = sizeof palette / sizeof *palette,
};

struct module {
    const char *path;
    unsigned colour;
    uint64_t self;
};

struct page {
    FILE *out;
    const struct hm_flame_tree *tree;
    const struct hm_flame_style *style;
    struct module modules[MODULES_MAX];
    size_t modules_count;
    bool taken[COLOURS];
    double *x; /* left edge of each node's box; below 0: not drawn */
    uint32_t depth;
};

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static uint32_t hash_of(const char *text, size_t length) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static unsigned new_colour(struct page *page, const char *path) {
    const char *base = base_of(path);
    if (!*path)
        return NONE_COLOUR;
    if (strcmp(path, page->style->program) == 0)
        return PROGRAM_COLOUR;
    if (strncmp(base, "libc.so", 7) == 0 || strncmp(base, "libc-", 5) == 0)
        return LIBC_COLOUR;
    uint32_t at = hash_of(base, strcspn(base, ".")) % COLOURS;
    for (uint32_t i = 0; i < COLOURS && page->taken[at]; i++)
        at = (at + 1) % COLOURS;
    page->taken[at] = true;
    return palette[at];
}

/* @return NULL: too many of them */
static struct module *module_of(struct page *page, const struct hm_flame_node *node) {
    const char *path = hm_groups_module(page->style->groups, node->name, node->length);
    for (size_t i = 0; i < page->modules_count; i++)
        if (strcmp(page->modules[i].path, path) == 0)
            return &page->modules[i];
    if (page->modules_count == MODULES_MAX)
        return NULL;
    struct module *fresh = &page->modules[page->modules_count++];
    *fresh = (struct module){.path = path, .colour = new_colour(page, path)};
    return fresh;
}

/* Neighbours of one module are told apart by how much white is in their colour. */
static unsigned colour_of(const struct module *module, const struct hm_flame_node *node) {
    unsigned colour = module ? module->colour : NONE_COLOUR;
    unsigned white = hash_of(node->name, node->length) % 4 * 9;
    unsigned mixed = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        unsigned part = colour >> shift & 0xFF;
        mixed |= (part + (0xFF - part) * white / 100) << shift;
    }
    return mixed;
}

/* ---- Boxes ---- */

/* Of the whole; a whole of nothing is the root's. */
static double part_of(const struct page *page, uint64_t weight) {
    uint64_t whole = page->tree->nodes[0].weight;
    return whole ? (double)weight / (double)whole : 1;
}

static double width_of(const struct page *page, const struct hm_flame_node *node) {
    return plot_width * part_of(page, node->weight);
}

/* Children stand side by side on their caller, the heaviest first. Nodes come after their callers. */
static void lay_out(struct page *page) {
    const struct hm_flame_node *nodes = page->tree->nodes;
    page->x[0] = EDGE;
    for (size_t i = 1; i < page->tree->count; i++)
        page->x[i] = -1;
    for (size_t i = 0; i < page->tree->count; i++) {
        if (page->x[i] < 0)
            continue;
        if (nodes[i].depth > page->depth)
            page->depth = nodes[i].depth;
        double x = page->x[i];
        for (uint32_t c = nodes[i].child; c != HM_FLAME_NONE; c = nodes[c].sibling) {
            if (width_of(page, &nodes[c]) < least_width)
                break;
            page->x[c] = x;
            x += width_of(page, &nodes[c]);
        }
    }
}

static const char *weight_text(char out[HM_TRACE_SHORT + 8], const struct page *page,
                               uint64_t weight) {
    char number[HM_TRACE_SHORT];
    if (page->style->in_bytes)
        return hm_trace_bytes_text(weight, out);
    snprintf(out, HM_TRACE_SHORT + 8, "%s block%s", hm_trace_short_text(weight, 1000, number),
             weight == 1 ? "" : "s");
    return out;
}

static double percent(const struct page *page, uint64_t weight) {
    return 100 * part_of(page, weight);
}

static void put_tip(const struct page *page, const struct hm_flame_node *node,
                    const struct module *module) {
    char text[HM_TRACE_SHORT + 8];
    fputs("<title>", page->out);
    hm_xml_put(page->out, node->name, node->length);
    fprintf(page->out, "\n%s, %.2f %%", weight_text(text, page, node->weight),
            percent(page, node->weight));
    if (node->self && node->self != node->weight)
        fprintf(page->out, "; itself %s", weight_text(text, page, node->self));
    if (module && module->path[0]) {
        fputc('\n', page->out);
        hm_xml_put(page->out, module->path, strlen(module->path));
    }
    fputs("</title>", page->out);
}

/* As much of the name as there is room for; no character is cut through. */
static void put_caption(const struct page *page, const struct hm_flame_node *node, double x,
                        double y) {
    double room = (width_of(page, node) - 7) / letter_width;
    if (room < 5)
        return;
    size_t fits = (size_t)room;
    size_t length = node->length <= fits ? node->length : fits - 2;
    while (length < node->length && length && (node->name[length] & 0xC0) == 0x80)
        length--;
    fprintf(page->out, "<text x=\"%.1f\" y=\"%.0f\">", x + 4, y + 13);
    hm_xml_put(page->out, node->name, length);
    fputs(length < node->length ? "..</text>" : "</text>", page->out);
}

static void put_box(struct page *page, size_t index) {
    const struct hm_flame_node *node = &page->tree->nodes[index];
    struct module *module = index ? module_of(page, node) : NULL;
    double y = HEAD + (double)(page->depth - node->depth) * BOX_HEIGHT;
    if (module)
        module->self += node->self;
    fputs("<g class=\"f\">", page->out);
    put_tip(page, node, module);
    fprintf(page->out, "<rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\" fill=\"#%06x\"/>",
            page->x[index], y, width_of(page, node), BOX_HEIGHT,
            index ? colour_of(module, node) : ROOT_COLOUR);
    put_caption(page, node, page->x[index], y);
    fputs("</g>\n", page->out);
}

/* ---- Head and foot ---- */

static int by_self(const void *a, const void *b) {
    const struct module *x = a;
    const struct module *y = b;
    if (x->self != y->self)
        return x->self > y->self ? -1 : 1;
    return strcmp(x->path, y->path);
}

static void put_legend(struct page *page, double y) {
    double x = EDGE;
    qsort(page->modules, page->modules_count, sizeof *page->modules, by_self);
    for (size_t i = 0; i < page->modules_count && i < LEGEND_MAX; i++) {
        const struct module *m = &page->modules[i];
        const char *name = m->path[0] ? base_of(m->path) : "unknown";
        double width = 32 + 6.9 * (double)strlen(name);
        if (x + width > PAGE_WIDTH - EDGE)
            return;
        fprintf(page->out,
                "<rect x=\"%.0f\" y=\"%.0f\" width=\"12\" height=\"12\" rx=\"2\" fill=\"#%06x\"/>"
                "<text class=\"s\" x=\"%.0f\" y=\"%.0f\">",
                x, y, m->colour, x + 17, y + 10);
        hm_xml_put(page->out, name, strlen(name));
        fputs("</text>\n", page->out);
        x += width;
    }
}

/* A click on a box makes it fill the width; what it is called by stays below it, pale. */
static const char script[] =
    "<script><![CDATA[(function () {\n"
    "var left = %d, whole = %.0f, letter = %.2f;\n"
    "var boxes = [].slice.call(document.querySelectorAll('g.f'));\n"
    "function number(r, name) { return parseFloat(r.getAttribute(name)); }\n"
    "function caption(b, x, w) {\n"
    "  var t = b.querySelector('text'), n = Math.floor((w - 7) / letter);\n"
    "  if (!t) {\n"
    "    t = b.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'text'));\n"
    "    t.setAttribute('y', b.at.y + 13);\n"
    "  }\n"
    "  t.setAttribute('x', x + 4);\n"
    "  t.textContent = n < 5 ? '' : b.at.name.length <= n ? b.at.name : b.at.name.slice(0, n - 2) "
    "+ '..';\n"
    "}\n"
    "function zoom(z) {\n"
    "  boxes.forEach(function (b) {\n"
    "    var over = b.at.x <= z.x + 0.02 && b.at.x + b.at.w >= z.x + z.w - 0.02;\n"
    "    var under = b.at.x >= z.x - 0.02 && b.at.x + b.at.w <= z.x + z.w + 0.02;\n"
    "    var calls = b.at !== z && b.at.y >= z.y && over;\n"
    "    var seen = calls || b.at === z || (b.at.y < z.y && under);\n"
    "    b.style.display = seen ? '' : 'none';\n"
    "    if (!seen) return;\n"
    "    var x = calls ? left : left + (b.at.x - z.x) * whole / z.w;\n"
    "    var w = calls ? whole : b.at.w * whole / z.w;\n"
    "    b.style.opacity = calls ? 0.55 : 1;\n"
    "    b.at.rect.setAttribute('x', x);\n"
    "    b.at.rect.setAttribute('width', w);\n"
    "    caption(b, x, w);\n"
    "  });\n"
    "}\n"
    "boxes.forEach(function (b) {\n"
    "  var r = b.querySelector('rect');\n"
    "  b.at = {rect: r, x: number(r, 'x'), y: number(r, 'y'), w: number(r, 'width'),\n"
    "    name: b.querySelector('title').textContent.split('\\n')[0]};\n"
    "  b.addEventListener('click', function () { zoom(b.at); });\n"
    "});\n"
    "})();]]></script>\n";

static const char sheet[] =
    "<style>text{font:11px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#222;"
    "pointer-events:none}"
    "text.h{font:bold 16px 'DejaVu Sans',Verdana,sans-serif}"
    "text.s{font:11px 'DejaVu Sans',Verdana,sans-serif;fill:#555}"
    ".f rect{stroke:#fff;stroke-width:.7}.f{cursor:pointer}.f:hover rect{stroke:#222;"
    "stroke-width:1.2}</style>\n";

/* The nodes that weigh most by themselves, for those who can not see the boxes. */
static void put_description(struct page *page) {
    uint64_t below = UINT64_MAX;
    size_t last = 0;
    char text[HM_TRACE_SHORT + 8];
    const struct hm_flame_node *nodes = page->tree->nodes;
    fprintf(page->out,
            "<desc id=\"desc\">Flame graph: %s in all. Each box is a function, as wide as what "
            "was asked for by it and by what it calls; callers are below. The heaviest:",
            weight_text(text, page, nodes[0].weight));
    for (int k = 0; k < HEAVIEST; k++) {
        size_t best = 0;
        for (size_t i = 1; i < page->tree->count; i++)
            if ((nodes[i].self < below || (nodes[i].self == below && i > last)) && nodes[i].self &&
                (!best || nodes[i].self > nodes[best].self))
                best = i;
        if (!best)
            break;
        below = nodes[best].self;
        last = best;
        fputs(k ? ", " : " ", page->out);
        hm_xml_put(page->out, nodes[best].name, nodes[best].length);
        fprintf(page->out, " %.1f %%", percent(page, nodes[best].self));
    }
    fputs(".</desc>\n", page->out);
}

static void put_head(struct page *page) {
    char text[HM_TRACE_SHORT + 8];
    const char *command = page->style->command;
    int height = HEAD + (int)(page->depth + 1) * BOX_HEIGHT + FOOT;
    fprintf(page->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"title desc\">\n"
            "<title id=\"title\">%s: ",
            PAGE_WIDTH, height, PAGE_WIDTH, height, page->style->title);
    hm_xml_put(page->out, command, strlen(command));
    fputs("</title>\n", page->out);
    put_description(page);
    fputs(sheet, page->out);
    fputs("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n", page->out);
    fprintf(page->out, "<text class=\"h\" x=\"%d\" y=\"26\">%s: %s</text>\n", EDGE,
            page->style->title, weight_text(text, page, page->tree->nodes[0].weight));
    fprintf(page->out, "<text class=\"s\" x=\"%d\" y=\"46\">", EDGE);
    size_t length = strnlen(command, 160);
    hm_xml_put(page->out, command, length);
    fputs(command[length] ? "..</text>\n" : "</text>\n", page->out);
}

int hm_flame_put_svg(FILE *out, const struct hm_flame_tree *tree,
                     const struct hm_flame_style *style) {
    struct page page = {.out = out, .tree = tree, .style = style};
    page.x = reallocarray(NULL, tree->count, sizeof *page.x);
    if (!page.x)
        return ENOMEM;
    lay_out(&page);
    put_head(&page);
    for (size_t i = 0; i < tree->count; i++)
        if (page.x[i] >= 0)
            put_box(&page, i);
    put_legend(&page, HEAD + (page.depth + 1) * BOX_HEIGHT + 14);
    fprintf(out, script, EDGE, plot_width, letter_width);
    fputs("</svg>\n", out);
    free(page.x);
    return 0;
}
