#pragma once
// The one place that includes libmicrohttpd. Inside server*.cc only.

#include <microhttpd.h>
