/* Texts for an XML file. */
#include "harness/trace/xml.h"

#include <stdbool.h>

/* Bytes of the UTF-8 character that a text begins with; 0: it is none, or none that XML knows. */
static size_t character(const unsigned char *text, size_t length) {
    static const unsigned leads[] = {0x00, 0xC0, 0xE0, 0xF0};
    static const unsigned least[] = {0x20, 0x80, 0x800, 0x10000};
    size_t more = text[0] < 0x80 ? 0 : text[0] < 0xE0 ? 1 : text[0] < 0xF0 ? 2 : 3;
    if (more >= length || (text[0] >= 0x80 && text[0] < 0xC0) || text[0] >= 0xF8)
        return 0;
    unsigned code = text[0] - leads[more];
    for (size_t i = 1; i <= more; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3F);
    }
    bool good = code >= least[more] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) &&
                code != 0xFFFE && code != 0xFFFF && (code < 0x7F || code > 0x9F);
    return good ? more + 1 : 0;
}

void hm_xml_put(FILE *out, const char *text, size_t length) {
    while (length) {
        size_t bytes = character((const unsigned char *)text, length);
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else if (bytes)
            fwrite(text, 1, bytes, out);
        else
            fputc('?', out);
        text += bytes ? bytes : 1;
        length -= bytes ? bytes : 1;
    }
}
