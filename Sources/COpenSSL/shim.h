/* What Swift cannot see of the library by itself: typed wrappers, no logic. */
#pragma once

#include <openssl/evp.h>

#include "tls.h"
