// Sorts chosen positions by their reversed prefixes, reading eight bytes of text at a time.
//
// Natural text tells most prefixes apart within a few symbols, which makes this several times faster than
// sorting names recursively. The work is bounded: on repetitive text `run` gives up, and the caller takes the
// linear way. Ties at a document's marker are broken by position, as the order of the markers demands.
#pragma once

#include <algorithm>
#include <vector>

#include "common.hpp"

namespace fm {

template <class Symbol, class Index>
class DirectSorter {
public:
    // positions[begin ... end) share their last symbol. `size` bounds the keys that may be read: 24 a position.
    DirectSorter(const Symbol* text, Index* positions, u64 size)
        : text_(text), positions_(positions), budget_(24 * size + 1024) {}

    // Sorts one bucket; false when it is too large or the text too repetitive.
    bool run(u64 begin, u64 end) {
        stack_.push_back({begin, end, 1});
        while (!stack_.empty()) {
            const Group group = stack_.back();
            stack_.pop_back();
            const u64 count = group.end - group.begin;
            if (count > budget_) return false;
            budget_ -= count;
            sort_group(group);
        }
        return true;
    }

private:
    static constexpr u64 kStep = 8 / sizeof(Symbol);
    static constexpr unsigned kBits = 8 * sizeof(Symbol);
    static constexpr u64 kAhead = 16;
    static constexpr u64 kRadix = 2048;

    struct Group {
        u64 begin, end, depth;
    };
    struct Item {
        u64 key;
        Index position;
        bool operator<(const Item& other) const {
            return key != other.key ? key < other.key : position < other.position;
        }
    };

    void sort_group(const Group& group) {
        const u64 count = group.end - group.begin;
        if (items_.size() < count) items_.resize(count);
        const Index* from = positions_ + group.begin;
        for (u64 i = 0; i < count; ++i) {
            if (i + kAhead < count) FM_PREFETCH(text_ + from[i + kAhead] - group.depth);
            items_[i] = {key(u64(from[i]), group.depth), from[i]};
        }
        order(count);
        write_back(group, count);
    }

    void write_back(const Group& group, u64 count) {
        u64 start = 0;
        for (u64 i = 0; i < count; ++i) {
            positions_[group.begin + i] = items_[i].position;
            if (i + 1 < count && items_[i + 1].key == items_[i].key) continue;
            if (i > start && !has_marker(items_[i].key))
                stack_.push_back({group.begin + start, group.begin + i + 1, group.depth + kStep});
            start = i + 1;
        }
    }

    // The symbols text[p - depth], text[p - depth - 1], ... with the first as the most significant; zero from
    // the first marker on.
    u64 key(u64 position, u64 depth) const {
        const u64 last = position - depth;
        u64 value;
        if (FM_LIKELY(last + 1 >= kStep)) {
            value = little_endian(text_ + last + 1 - kStep);
        } else {
            value = little_endian(text_) << (kBits * unsigned(kStep - 1 - last));
        }
        return cut_at_marker(value);
    }

    static u64 little_endian(const Symbol* at) {
        u64 value = 0;
        for (unsigned i = 0; i < kStep; ++i) value |= u64(at[i]) << (kBits * i);
        return value;
    }

    static u64 lanes(u64 value) {
        u64 all = 0;
        for (unsigned i = 0; i < kStep; ++i) all |= value << (kBits * i);
        return all;
    }

    // The top bit of each lane that is zero.
    static u64 zero_lanes(u64 value) {
        const u64 low = lanes((u64{1} << (kBits - 1)) - 1);
        return ~(((value & low) + low) | value | low);
    }

    static bool has_marker(u64 key) { return zero_lanes(key) != 0; }

    static u64 cut_at_marker(u64 value) {
        const u64 zeros = zero_lanes(value);
        if (FM_LIKELY(zeros == 0)) return value;
        const unsigned top = bit_width(zeros);  // the lane's top bit, counted from 1
        return top >= 64 ? 0 : value & ~low_mask(top);
    }

    void order(u64 count) {
        if (count < kRadix) {
            std::sort(items_.begin(), items_.begin() + i64(count));
        } else {
            radix_sort(count);
        }
    }

    // Least significant digit first, eleven bits a pass; stable, so ties keep the order of positions.
    void radix_sort(u64 count) {
        if (spare_.size() < items_.size()) spare_.resize(items_.size());
        u64 varying = 0;
        for (u64 i = 1; i < count; ++i) varying |= items_[i].key ^ items_[0].key;
        for (unsigned shift = 0; shift < 64; shift += 11) {
            if (((varying >> shift) & 2047) == 0) continue;
            u64 at[2049] = {0};
            for (u64 i = 0; i < count; ++i) ++at[((items_[i].key >> shift) & 2047) + 1];
            for (u64 d = 0; d < 2048; ++d) at[d + 1] += at[d];
            for (u64 i = 0; i < count; ++i) spare_[at[(items_[i].key >> shift) & 2047]++] = items_[i];
            items_.swap(spare_);
        }
    }

    const Symbol* text_;
    Index* positions_;
    u64 budget_;
    std::vector<Group> stack_;
    std::vector<Item> items_, spare_;
};

}  // namespace fm
