/* That a finalizer has run is not noted.
 * caught by: resurrection random */
#define ZOO_FINALIZER_TWICE 1
#include "tests/zoo_gc/base.h"
