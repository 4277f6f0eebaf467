// What every part of the core shares: integer types, prefetching, bits, and the two ways to fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace fm {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

// The hot loops are compiled a second time, for newer processors of this family (engines/engine_v3.cpp).
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define FM_TWO_KINDS 1
#endif

#if defined(__GNUC__) || defined(__clang__)
#define FM_PREFETCH(address) __builtin_prefetch((address), 0, 3)
#define FM_PREFETCH_WRITE(address) __builtin_prefetch((address), 1, 3)
#define FM_LIKELY(x) __builtin_expect(!!(x), 1)
#define FM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define FM_PREFETCH(address) ((void)0)
#define FM_PREFETCH_WRITE(address) ((void)0)
#define FM_LIKELY(x) (x)
#define FM_UNLIKELY(x) (x)
#endif

// A stored array holds a value that no writer of this format produces.
struct Damaged : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline u64 load64(const u8* at) {
    u64 value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline void store64(u8* at, u64 value) { std::memcpy(at, &value, sizeof value); }

// The number of bits that the numbers 0 ... value need; 0 for value = 0.
inline unsigned bit_width(u64 value) {
    unsigned bits = 0;
    while (value) {
        value >>= 1;
        ++bits;
    }
    return bits;
}

inline u64 low_mask(unsigned bits) { return bits >= 64 ? ~u64{0} : (u64{1} << bits) - 1; }

}  // namespace fm
