/* Texts for an XML file. */
#ifndef HM_HARNESS_TRACE_XML_H
#define HM_HARNESS_TRACE_XML_H

#include <stddef.h>
#include <stdio.h>

/** The first bytes of a text, escaped; what is no UTF-8, and controls, as question marks. */
void hm_xml_put(FILE *out, const char *text, size_t length);

#endif
