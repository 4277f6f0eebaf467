// Bits of unaligned streams: loads, counts, selection. Included once for each instruction set.
// (No include guard: engine_*.cpp include it once in each namespace FM_ARCH.)

namespace fm {
namespace FM_ARCH {

inline unsigned popcount(u64 word) {
#if defined(__GNUC__) || defined(__clang__)
    return unsigned(__builtin_popcountll(word));
#else
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    return unsigned((((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u) >> 56);
#endif
}

inline unsigned trailing_zeros(u64 word) {
#if defined(__GNUC__) || defined(__clang__)
    return unsigned(__builtin_ctzll(word));
#else
    unsigned count = 0;
    while (!(word & 1)) word >>= 1, ++count;
    return count;
#endif
}

// The place of the set bit number k (from 0) of a word that has more than k.
inline unsigned select_bit(u64 word, unsigned k) {
#if defined(FM_HAVE_BMI2)
    return trailing_zeros(_pdep_u64(u64{1} << k, word));
#else
    unsigned place = 0;
    for (unsigned width = 32; width; width /= 2) {
        const unsigned low = popcount(word & low_mask(width));
        if (k >= low) {
            k -= low;
            word >>= width;
            place += width;
        }
    }
    return place;
#endif
}

// 64 bits from any offset; reads nine bytes.
inline u64 word_at(const u8* bytes, u64 bit) {
    const u8* at = bytes + (bit >> 3);
    const unsigned shift = unsigned(bit & 7);
    const u64 word = load64(at) >> shift;
    return shift ? word | (u64(at[8]) << (64 - shift)) : word;
}

// `width` <= 56 bits from any offset.
inline u64 field_at(const u8* bytes, u64 bit, unsigned width) {
    return (load64(bytes + (bit >> 3)) >> (bit & 7)) & low_mask(width);
}

}  // namespace FM_ARCH
}  // namespace fm
