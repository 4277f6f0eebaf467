// Writes the Elias-Fano postings of profile "fast" (see layout.hpp) from the BWT, in two passes over the rows.
#pragma once

#include "build_rows.hpp"

namespace fm {

struct StoredPostings {
    Buffer<u32> directory;
    Buffer<u8> stream;
};

template <class Symbol>
class PostingsWriter {
public:
    PostingsWriter(Span<Symbol> bwt, const std::vector<Postings>& postings)
        : bwt_(bwt), postings_(postings),
          out_{Buffer<u32>(postings.back().directory, true), Buffer<u8>(postings.back().bits / 8 + 1 + kPadding, true)} {}

    StoredPostings run(const Progress& progress) {
        in_pieces(bwt_.size, progress, [&](u64 from, u64 to) {
            for (u64 row = from; row < to; ++row) count(row, bwt_[row]);
        });
        accumulate();
        in_pieces(bwt_.size, progress, [&](u64 from, u64 to) { write(from, to); });
        return std::move(out_);
    }

    // The postings of one symbol from the ascending rows that hold it, with no BWT at hand.
    StoredPostings run_on(u64 symbol, Span<i64> rows) {
        for (u64 i = 0; i < rows.size; ++i) count(u64(rows[i]), symbol);
        accumulate();
        for (u64 i = 0; i < rows.size; ++i) write_one(u64(rows[i]), symbol);
        return std::move(out_);
    }

private:
    static constexpr u64 kAhead = 24;

    // Entry b - 1 of a symbol: the occurrences in bucket b - 1, to become those before bucket b.
    void count(u64 row, u64 symbol) {
        const Postings& p = postings_[symbol];
        const u64 bucket = row >> p.shift();
        if (bucket + 1 < p.buckets) ++out_.directory[p.directory + bucket];
    }

    void accumulate() {
        seen_.assign(postings_.size(), 0);
        for (u64 s = 0; s + 1 < postings_.size(); ++s) {
            u32 sum = 0;
            for (u64 b = 0; b + 1 < postings_[s].buckets; ++b) {
                sum += out_.directory[postings_[s].directory + b];
                out_.directory[postings_[s].directory + b] = sum;
            }
        }
    }

    void write(u64 from, u64 to) {
        for (u64 row = from; row < to; ++row) {
            if (row + 2 * kAhead < bwt_.size) {
                const Postings& far = postings_[bwt_[row + 2 * kAhead]];
                FM_PREFETCH(out_.directory.data() + far.directory + ((row + 2 * kAhead) >> far.shift()));
            }
            if (row + kAhead < bwt_.size) prefetch_slot(row + kAhead);
            write_one(row, bwt_[row]);
        }
    }

    void write_one(u64 row, u64 symbol) {
        const Postings& p = postings_[symbol];
        u64 before, inside;
        bounds(p, row >> p.shift(), before, inside);
        put(p, row, before, inside, seen_[symbol]++ - before);
    }

    void bounds(const Postings& p, u64 bucket, u64& before, u64& inside) const {
        before = bucket == 0 ? 0 : out_.directory[p.directory + bucket - 1];
        inside = (bucket + 1 >= p.buckets ? p.count : out_.directory[p.directory + bucket]) - before;
    }

    void prefetch_slot(u64 row) const {
        const Postings& p = postings_[bwt_[row]];
        u64 before, inside;
        bounds(p, row >> p.shift(), before, inside);
        const u64 start = p.bucket_bits(row >> p.shift(), before);
        FM_PREFETCH_WRITE(out_.stream.data() + (start >> 3));
        FM_PREFETCH_WRITE(out_.stream.data() + ((start + 64 + inside + inside * p.low / 2) >> 3));
    }

    void put(const Postings& p, u64 row, u64 before, u64 inside, u64 number) {
        const u64 start = p.bucket_bits(row >> p.shift(), before);
        const u64 unary = start + ((row >> p.low) & 63) + number;
        out_.stream[unary >> 3] = u8(out_.stream[unary >> 3] | (1u << (unary & 7)));
        const u64 low = start + 64 + inside + number * p.low;
        u8* at = out_.stream.data() + (low >> 3);
        store64(at, load64(at) | (row & low_mask(p.low)) << (low & 7));
    }

    Span<Symbol> bwt_;
    const std::vector<Postings>& postings_;
    StoredPostings out_;
    std::vector<u32> seen_;
};

}  // namespace fm
