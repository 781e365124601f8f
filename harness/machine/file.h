/* Small text files of the kernel (/proc, /sys), read without malloc and without stdio's buffers, so
 * that the measured process can read them too. */
#ifndef HM_HARNESS_MACHINE_FILE_H
#define HM_HARNESS_MACHINE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/** Read the beginning of a file.
 *  @param text receives at most size-1 bytes and a NUL, without the newlines at the end
 *  @param size > 0  @return 0, or a positive errno with *text "". Any thread. */
int hm_file_read(const char *path, char *text, size_t size);

/** Find the line that begins with a key. @return what follows the key and any of " \t:=", up to the
 *  end of the whole text, or NULL */
const char *hm_file_line(const char *text, const char *key);

/** Copy one line: up to its newline or the end of the text, cut to size-1 bytes. @param size > 0 */
void hm_file_copy_line(const char *from, char *line, size_t size);

/** The bytes that a line "Key:  123 kB" of a file tells, or NAN. Looks at the first 8 KiB. */
double hm_file_kib(const char *path, const char *key);

/** Read a file that holds one whole number in its first word. @return false when there is none */
bool hm_file_number(const char *path, long long *out);

#endif
