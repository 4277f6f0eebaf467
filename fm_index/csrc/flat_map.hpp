// A hash table of whole numbers for inner loops: one array, linear probing, at most half full.
#pragma once

#include <vector>

#include "common.hpp"

namespace fm {

class FlatMap {
public:
    static constexpr u32 kNone = ~u32{0};

    // Empties the table; at most `entries` keys, none of them 2^64 - 1, may be put in afterwards.
    void reset(u64 entries) {
        unsigned bits = bit_width(2 * entries + 1);
        shift_ = 64 - bits;
        slots_.assign(u64{1} << bits, {~u64{0}, kNone});
    }

    u32 find(u64 key) const {
        for (u64 at = place(key);; at = at + 1 == slots_.size() ? 0 : at + 1) {
            if (slots_[at].key == key) return slots_[at].value;
            if (slots_[at].value == kNone) return kNone;
        }
    }

    // The value of a key, which becomes `fresh` when it was not there.
    u32 find_or_put(u64 key, u32 fresh) {
        for (u64 at = place(key);; at = at + 1 == slots_.size() ? 0 : at + 1) {
            if (slots_[at].value == kNone) slots_[at] = {key, fresh};
            if (slots_[at].key == key) return slots_[at].value;
        }
    }

private:
    struct Slot {
        u64 key;
        u32 value;
    };

    // Fibonacci hashing: the upper bits of a product with 2^64 / phi.
    u64 place(u64 key) const { return (key * 0x9E3779B97F4A7C15u) >> shift_; }

    unsigned shift_ = 63;
    std::vector<Slot> slots_;
};

}  // namespace fm
