// The hot loops for x86-64 machines with AVX2, BMI2 and POPCNT (2013 and later), chosen at run time.
// The standard headers come before the pragma, so that none of their functions is compiled for that target.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <algorithm>
#include <limits>
#include <type_traits>

#include <immintrin.h>

#include "engine.hpp"

#pragma GCC target("avx2,bmi,bmi2,popcnt,lzcnt")
#define FM_HAVE_BMI2 1
#define FM_ARCH v3
#include "engines.inc"
#endif
