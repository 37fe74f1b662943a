#pragma once

#include "graft/error.h"  // the public header is the one definition
