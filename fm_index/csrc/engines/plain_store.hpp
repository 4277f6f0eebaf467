// Profile "fast": the BWT as it is, and Elias-Fano postings of each symbol for rank.
// Included once for each instruction set. Every value that comes from a file is bounded where it is used.

namespace fm {
namespace FM_ARCH {

template <class Symbol>
class PlainStore {
public:
    PlainStore(const Arrays<Symbol>& arrays, const std::vector<Postings>& postings)
        : bwt_(arrays.bwt.data), directory_(arrays.directory.data), stream_(arrays.postings.data),
          postings_(postings.data()), rows_(arrays.rows), symbols_(arrays.symbols) {}

    static constexpr u64 kGroup = 64;

    u64 symbol(u64 row) const {
        const u64 s = bwt_[row];
        return FM_LIKELY(s < symbols_) ? s : 0;
    }

    void prefetch_symbol(u64 row) const { FM_PREFETCH(bwt_ + row); }
    const Symbol* symbols_from(u64 row) const { return bwt_ + row; }

    // The occurrences of symbols[i] before rows[i], for up to kGroup pairs; step by step, so that the memory
    // accesses of a step overlap.
    void ranks(const u32* symbols, const u64* rows, u64* out, u64 count) const {
        u64 inside[kGroup];
        Run runs[kGroup];
        for (u64 i = 0; i < count; ++i) FM_PREFETCH(postings_ + symbols[i]);
        for (u64 i = 0; i < count; ++i) {
            const Postings& p = postings_[symbols[i]];
            if (p.buckets > 1) FM_PREFETCH(directory_ + p.directory + (rows[i] >> p.shift()));
        }
        for (u64 i = 0; i < count; ++i) {
            const Postings& p = postings_[symbols[i]];
            const u64 bucket = rows[i] >> p.shift();
            out[i] = bucket == 0 ? 0 : directory_[p.directory + bucket - 1];
            const u64 after = bucket + 1 >= p.buckets ? p.count : directory_[p.directory + bucket];
            if (out[i] > p.count) out[i] = p.count;
            inside[i] = after > p.count || after < out[i] ? 0 : after - out[i];
            const u8* at = stream_ + (p.bucket_bits(bucket, out[i]) >> 3);
            FM_PREFETCH(at);
            FM_PREFETCH(at + ((64 + inside[i]) >> 3));
        }
        for (u64 i = 0; i < count; ++i) {
            runs[i] = inside[i] ? equal_uppers(postings_[symbols[i]], rows[i], out[i], inside[i]) : Run();
            FM_PREFETCH(stream_ + (runs[i].lows >> 3));
        }
        for (u64 i = 0; i < count; ++i) {
            const unsigned low = postings_[symbols[i]].low;
            out[i] += runs[i].first + lower_bound(runs[i].lows, low, runs[i].size, rows[i] & low_mask(low));
        }
    }

    u64 rank(u32 symbol, u64 row) const {
        u64 out;
        ranks(&symbol, &row, &out, 1);
        return out;
    }

    // Throws Damaged where the BWT holds an unknown symbol, or the directory does not count its symbols.
    void check_counts() const {
        std::vector<u64> seen(symbols_, 0), next(symbols_, 1);
        const auto catch_up = [&](u64 s, u64 bucket) {
            for (; next[s] <= bucket; ++next[s])
                if (directory_[postings_[s].directory + next[s] - 1] != seen[s])
                    throw Damaged("the directory does not count the symbols");
        };
        for (u64 row = 0; row < rows_; ++row) {
            const u64 s = bwt_[row];
            if (s >= symbols_ || postings_[s].count == 0) throw Damaged("a row holds an unknown symbol");
            catch_up(s, row >> postings_[s].shift());
            ++seen[s];
        }
        for (u64 s = 0; s < symbols_; ++s) catch_up(s, postings_[s].buckets - 1);
    }

private:
    // Occurrences of a bucket whose upper parts are a row's: `size` of them behind `first` smaller ones, their lower
    // parts from bit `lows` on.
    struct Run {
        u64 first = 0, size = 0, lows = 0;
    };

    Run equal_uppers(const Postings& p, u64 row, u64 before, u64 inside) const {
        const u64 start = p.bucket_bits(row >> p.shift(), before);
        const u64 length = 64 + inside;
        const u64 place = after_zeros(start, unsigned((row >> p.low) & 63), length);
        if (FM_UNLIKELY(place >= length)) return {inside, 0, start};
        const u64 first = place - ((row >> p.low) & 63);
        if (FM_UNLIKELY(first > inside)) return {inside, 0, start};
        const u64 ones = ones_from(start, place, length), left = inside - first;
        return {first, ones < left ? ones : left, start + length + first * p.low};
    }

    // The place behind the zero number `zeros` (from 1) of the unary part.
    u64 after_zeros(u64 start, unsigned zeros, u64 length) const {
        if (zeros == 0) return 0;
        for (u64 at = 0; at < length; at += 64) {
            const u64 flipped = ~word_at(stream_, start + at);
            const unsigned here = popcount(flipped);
            if (zeros <= here) return at + select_bit(flipped, zeros - 1) + 1;
            zeros -= here;
        }
        return length;
    }

    u64 ones_from(u64 start, u64 place, u64 length) const {
        u64 run = 0;
        while (place + run < length) {
            const u64 flipped = ~word_at(stream_, start + place + run);
            if (flipped) return run + trailing_zeros(flipped);
            run += 64;
        }
        return run;
    }

    u64 lower_bound(u64 lows, unsigned width, u64 run, u64 wanted) const {
        u64 first = 0;
        while (run > 0) {
            const u64 half = run / 2;
            if (field_at(stream_, lows + (first + half) * width, width) < wanted) {
                first += half + 1;
                run -= half + 1;
            } else {
                run = half;
            }
        }
        return first;
    }

    const Symbol* bwt_;
    const u32* directory_;
    const u8* stream_;
    const Postings* postings_;
    u64 rows_, symbols_;
};

}  // namespace FM_ARCH
}  // namespace fm
