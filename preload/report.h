/* What a preloaded layer has to say when its program exits. */
#ifndef HM_PRELOAD_REPORT_H
#define HM_PRELOAD_REPORT_H

struct hm_heap;

/** Called once at exit, with the layer's open heap; other threads may be inside it. A library whose
 *  allocator has nothing to say defines none. */
__attribute__((weak, visibility("hidden"))) void hm_preload_report(struct hm_heap *heap);

#endif
