/* A close(2) that passes over one call of a thread: docs/decisions/0009. */
#pragma once

#include <stdbool.h>

/* This thread's next close of `descriptor`, by whatever library, does nothing. */
void millrace_spare_next_close(int descriptor);

/* From here on this thread closes everything again; true when a call was passed over. */
bool millrace_end_sparing(void);
