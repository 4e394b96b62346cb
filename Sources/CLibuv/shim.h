/* What Swift cannot see of the library by itself: typed wrappers, no logic. */
#pragma once

#include <uv.h>
