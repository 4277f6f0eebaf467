// The successors of a batch, on one thread or on several.
#pragma once

#include "index.hpp"

namespace fm {

struct Collected {
    Blocks::Block tokens, counts;
    u64 total = 0;

    i32* token_data() { return reinterpret_cast<i32*>(tokens.data.get()); }
    i64* count_data() { return reinterpret_cast<i64*>(counts.data.get()); }
};

// Sizes are not known beforehand where rows are scanned. One thread writes behind the last entry. Several
// threads first find what is not stored, each into a place of its own; then all sizes are known, and stored
// lists, the bulk of the bytes, are written once, where they belong.
class Collector {
public:
    Collector(const Index& index, Workers& workers, Pool<Scratch>& scratch, Blocks& blocks, u64 threads)
        : engine_(index.engine()), workers_(workers), scratch_(scratch), blocks_(blocks), threads_(threads) {}

    // offsets: one more than there are beams. best: null for all successors.
    Collected run(const Ranges& all, const Best* best, i64* offsets) {
        std::vector<u64> bound(all.end + 1, 0);
        for (u64 b = 0; b < all.end; ++b) bound[b + 1] = bound[b] + engine_.most_successors(u64(all.lo[b]), u64(all.hi[b]));
        offsets[0] = 0;
        const u64 parts = std::min(threads_, bound[all.end] / kSmallWork);
        if (parts <= 1) return on_one(all, best, bound, offsets);
        return on_several(all, best, bound, parts, offsets);
    }

private:
    // Below so many entries a thread, waking it and the second round cost more than they save.
    static constexpr u64 kSmallWork = u64{1} << 17;

    Collected take(u64 capacity) {
        Collected out;
        out.tokens = blocks_.take(capacity * sizeof(i32));
        out.counts = blocks_.take(capacity * sizeof(i64));
        return out;
    }

    // ends[i] becomes the number of entries up to the part's beam i, counted from 1.
    u64 fill(const Ranges& part, const Best* best, i32* tokens, i64* counts, i64* ends) {
        std::unique_ptr<Scratch> scratch = scratch_.take();
        const u64 found = best ? engine_.best_successors(part, *best, tokens, counts, ends, *scratch)
                               : engine_.successors(part, tokens, counts, ends, *scratch);
        scratch_.give(std::move(scratch));
        return found;
    }

    Collected on_one(const Ranges& all, const Best* best, const std::vector<u64>& bound, i64* offsets) {
        u64 capacity = bound[all.end];
        if (best && best->k < capacity / (all.end + 1)) capacity = best->k * all.end;
        Collected out = take(capacity);
        out.total = fill(all, best, out.token_data(), out.count_data(), offsets);
        return out;
    }

    // Beams cut into parts of about equal bounds.
    static std::vector<Ranges> cut(const Ranges& all, const std::vector<u64>& bound, u64 parts) {
        std::vector<Ranges> out(parts, all);
        u64 b = 0;
        for (u64 number = 0; number < parts; ++number) {
            out[number].begin = b;
            while (b < all.end && (number + 1 == parts || bound[b] < bound[all.end] * (number + 1) / parts)) ++b;
            out[number].end = b;
        }
        return out;
    }

    Collected on_several(const Ranges& all, const Best* best, const std::vector<u64>& bound, u64 parts, i64* offsets) {
        // What is stored is left out of the first round: it becomes an empty range there.
        std::vector<i64> hi(all.hi, all.hi + all.end);
        std::vector<u64> open(all.end + 1, 0);
        for (u64 b = 0; b < all.end; ++b) {
            if (!best && engine_.is_stored(u64(all.lo[b]), u64(all.hi[b]))) hi[b] = all.lo[b];
            open[b + 1] = open[b] + (hi[b] > all.lo[b] ? bound[b + 1] - bound[b] : 0);
        }
        Collected found = take(open[all.end]);
        const Ranges opened{all.lo, hi.data(), 0, all.end};
        const std::vector<Ranges> first = cut(opened, best ? bound : open, parts);
        workers_.run(parts, [&](u64 number) {
            const Ranges& part = first[number];
            fill(part, best, found.token_data() + open[part.begin], found.count_data() + open[part.begin],
                 offsets + part.begin);
        });
        return place(all, hi, open, first, bound, found, offsets);
    }

    // The second round: offsets of all beams, and every list to its place.
    Collected place(const Ranges& all, const std::vector<i64>& hi, const std::vector<u64>& open,
                    const std::vector<Ranges>& first, const std::vector<u64>& bound, Collected& found, i64* offsets) {
        std::vector<u64> source(all.end), size(all.end), before(all.end + 1, 0);
        for (const Ranges& part : first)
            for (u64 b = part.begin; b < part.end; ++b) {
                const u64 start = b == part.begin ? 0 : u64(offsets[b]);
                source[b] = open[part.begin] + start;
                size[b] = u64(offsets[b + 1]) - start;
            }
        for (u64 b = 0; b < all.end; ++b) {
            if (hi[b] != all.hi[b]) size[b] = bound[b + 1] - bound[b];
            before[b + 1] = before[b] + size[b];
        }
        Collected out = take(before[all.end]);
        out.total = before[all.end];
        const std::vector<Ranges> second = cut(all, before, first.size());
        workers_.run(second.size(), [&](u64 number) {
            for (u64 b = second[number].begin; b < second[number].end; ++b) {
                i32* tokens = out.token_data() + before[b];
                i64* counts = out.count_data() + before[b];
                i64 ends[2];
                if (hi[b] != all.hi[b]) {
                    fill({all.lo, all.hi, b, b + 1}, nullptr, tokens, counts, ends);
                } else {
                    std::memcpy(tokens, found.token_data() + source[b], size[b] * sizeof(i32));
                    std::memcpy(counts, found.count_data() + source[b], size[b] * sizeof(i64));
                }
            }
        });
        for (u64 b = 0; b < all.end; ++b) offsets[b + 1] = i64(before[b + 1]);
        blocks_.give(std::move(found.tokens));
        blocks_.give(std::move(found.counts));
        return out;
    }

    const Engine& engine_;
    Workers& workers_;
    Pool<Scratch>& scratch_;
    Blocks& blocks_;
    u64 threads_;
};

}  // namespace fm
