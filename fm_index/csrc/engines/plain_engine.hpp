// Successors over the plain BWT: a narrow range is scanned, a wide one was stored when the index was built.
// Included once for each instruction set.

namespace fm {
namespace FM_ARCH {

template <class Symbol>
class PlainEngine : public StoreEngine<Symbol, PlainStore<Symbol>> {
    using Base = StoreEngine<Symbol, PlainStore<Symbol>>;
    using Base::a_;
    using Base::store_;

public:
    using Base::Base;

    u64 successors(const Ranges& r, i32* tokens, i64* counts, i64* at, Scratch& scratch) const override {
        prepare(scratch);
        warm(r, scratch);
        u64 total = 0;
        for (u64 b = r.begin; b < r.end; ++b) {
            prefetch_beam(r, b + kAhead);
            total += one(u64(r.lo[b]), u64(r.hi[b]), tokens + total, counts + total, scratch);
            at[b + 1 - r.begin] = i64(total);
        }
        return total;
    }

    u64 best_successors(const Ranges& r, const Best& best, i32* tokens, i64* counts, i64* at,
                        Scratch& scratch) const override {
        prepare(scratch);
        warm(r, scratch);
        u64 total = 0;
        for (u64 b = r.begin; b < r.end; ++b) {
            prefetch_beam(r, b + kAhead);
            const u64 lo = u64(r.lo[b]), hi = u64(r.hi[b]);
            const u64 most = Base::most_successors(lo, hi);
            if (scratch.tokens.size() < most) scratch.tokens.resize(most), scratch.token_counts.resize(most);
            const u64 found = one(lo, hi, scratch.tokens.data(), scratch.token_counts.data(), scratch);
            total += take_best(best, b, found, scratch, tokens + total, counts + total);
            at[b + 1 - r.begin] = i64(total);
        }
        return total;
    }

    void scan(u64 lo, u64 hi, std::vector<u32>& symbols, std::vector<u32>& counts,
              Scratch& scratch) const override {
        prepare(scratch);
        symbols.clear();
        counts.clear();
        count_all(lo, hi, scratch, [&](u64 s, u32 count) {
            symbols.push_back(u32(s));
            counts.push_back(count);
        });
    }

private:
    static constexpr u64 kAhead = 8;
    static constexpr u64 kFew = 16;

    void prepare(Scratch& scratch) const {
        if (scratch.counts.size() >= a_.symbols) return;
        scratch.counts.assign(a_.symbols, 0);
        scratch.seen.assign(a_.symbols / 64 + 1, 0);
        scratch.pages.assign(a_.symbols / 4096 + 1, 0);
    }

    // Between two calls a model runs and the tables leave the caches: where a batch reads enough rows, fetching
    // them in one sweep is cheaper than a miss for each symbol.
    void warm(const Ranges& r, const Scratch& scratch) const {
        u64 rows = 0;
        for (u64 b = r.begin; b < r.end; ++b) {
            const u64 width = u64(r.hi[b] - r.lo[b]);
            if (width < kWideRows) rows += width;
        }
        if (rows < a_.symbols / 4) return;
        for (u64 s = 0; s + 1 < a_.symbols; s += 16) {
            FM_PREFETCH(a_.alphabet.data + s);
            FM_PREFETCH(scratch.counts.data() + s);
        }
    }

    void prefetch_beam(const Ranges& r, u64 b) const {
        if (b >= r.end) return;
        const u64 lo = u64(r.lo[b]), width = u64(r.hi[b]) > lo ? u64(r.hi[b]) - lo : 0;
        if (width == 0 || width >= kWideRows) return;
        constexpr u64 kLine = 64 / sizeof(Symbol);
        const Symbol* from = store_.symbols_from(lo);
        for (u64 i = 0; i < width && i < 8 * kLine; i += kLine) FM_PREFETCH(from + i);
        FM_PREFETCH(from + (width < 8 * kLine ? width - 1 : 8 * kLine));
    }

    u64 one(u64 lo, u64 hi, i32* tokens, i64* counts, Scratch& scratch) const {
        if (lo >= hi) return 0;
        u64 from, to;
        if (Base::find_wide(lo, hi, from, to)) return Base::copy_wide(from, to, lo, hi, tokens, counts);
        u64 size = 0;
        auto emit = [&](u64 s, u32 count) {
            tokens[size] = a_.alphabet[s - 1];
            counts[size++] = count;
        };
        if (hi - lo <= kFew) {
            count_few(lo, hi, emit);
        } else {
            count_all(lo, hi, scratch, emit);
        }
        return size;
    }

    template <class Emit>
    void count_few(u64 lo, u64 hi, Emit&& emit) const {
        u64 sorted[kFew], size = 0;
        for (u64 row = lo; row < hi; ++row) {
            const u64 s = store_.symbol(row);
            u64 place = size++;
            for (; place > 0 && sorted[place - 1] > s; --place) sorted[place] = sorted[place - 1];
            sorted[place] = s;
        }
        for (u64 i = 0; i < size;) {
            u64 end = i + 1;
            while (end < size && sorted[end] == sorted[i]) ++end;
            if (sorted[i] != 0) emit(sorted[i], u32(end - i));
            i = end;
        }
    }

    template <class Emit>
    void count_all(u64 lo, u64 hi, Scratch& scratch, Emit&& emit) const {
        u32* counts = scratch.counts.data();
        u64 *seen = scratch.seen.data(), *pages = scratch.pages.data();
        for (u64 row = lo; row < hi; ++row) {
            const u64 s = store_.symbol(row);
            if (counts[s]++ == 0) {
                seen[s >> 6] |= u64{1} << (s & 63);
                pages[s >> 12] |= u64{1} << ((s >> 6) & 63);
            }
        }
        for (u64 page = 0; page < scratch.pages.size(); ++page) {
            for (u64 words = pages[page]; words; words &= words - 1) {
                const u64 word = page * 64 + trailing_zeros(words);
                for (u64 bits = seen[word]; bits; bits &= bits - 1) {
                    const u64 s = word * 64 + trailing_zeros(bits);
                    if (s != 0) emit(s, counts[s]);
                    counts[s] = 0;
                }
                seen[word] = 0;
            }
            pages[page] = 0;
        }
    }
};

}  // namespace FM_ARCH
}  // namespace fm
