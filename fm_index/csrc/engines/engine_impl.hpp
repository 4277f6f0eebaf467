// Successors, steps and positions over either store. Included once for each instruction set.

namespace fm {
namespace FM_ARCH {

template <class Symbol, class Store>
class StoreEngine : public Engine {
public:
    StoreEngine(const Arrays<Symbol>& arrays, const std::vector<Postings>& postings)
        : a_(arrays), store_(arrays, postings) {}

    void step(const Ranges& r, const u32* symbols, i64* out_lo, i64* out_hi) const override {
        u32 wanted[kGroup];
        u64 rows[kGroup], ranks[kGroup], beams[kGroup];
        u64 filled = 0;
        auto flush = [&] {
            if (filled == 0) return;
            store_.ranks(wanted, rows, ranks, filled);
            for (u64 i = 0; i < filled; i += 2) {
                const u64 first = a_.first_row[wanted[i]];
                const bool found = ranks[i] < ranks[i + 1];
                out_lo[beams[i]] = found ? i64(first + ranks[i]) : 0;
                out_hi[beams[i]] = found ? i64(first + ranks[i + 1]) : 0;
            }
            filled = 0;
        };
        for (u64 b = r.begin; b < r.end; ++b) {
            out_lo[b] = out_hi[b] = 0;
            if (symbols[b] == kNoSymbol || r.lo[b] >= r.hi[b]) continue;
            for (u64 side = 0; side < 2; ++side) {
                beams[filled] = b;
                wanted[filled] = symbols[b];
                rows[filled++] = u64(side ? r.hi[b] : r.lo[b]);
            }
            if (filled == kGroup) flush();
        }
        flush();
    }

    void children(const Ranges& r, const u32* symbols, const i64* counts, i64* out_lo,
                  i64* out_hi) const override {
        u64 rows[kGroup], ranks[kGroup];
        for (u64 begin = r.begin; begin < r.end; begin += kGroup) {
            const u64 size = r.end - begin < kGroup ? r.end - begin : kGroup;
            for (u64 i = 0; i < size; ++i) rows[i] = u64(r.lo[begin + i]);
            store_.ranks(symbols + begin, rows, ranks, size);
            for (u64 i = 0; i < size; ++i) {
                const u32 s = symbols[begin + i];
                const u64 lo = a_.first_row[s] + ranks[i], most = a_.first_row[s + 1];
                const u64 hi = lo + u64(counts[begin + i]);
                out_lo[begin + i] = i64(lo);
                out_hi[begin + i] = i64(hi < most ? hi : most);
            }
        }
    }

    bool is_stored(u64 lo, u64 hi) const override {
        u64 from, to;
        return lo < hi && find_wide(lo, hi, from, to);
    }

    u64 most_successors(u64 lo, u64 hi) const override {
        if (lo >= hi) return 0;
        const u64 width = hi - lo;
        u64 from, to;
        if (find_wide(lo, hi, from, to)) return to - from;
        return width < a_.symbols ? width : a_.symbols - 1;
    }

    void symbols(u64 lo, u64 count, u32* out) const override {
        u64 rows[kGroup];
        for (u64 begin = 0; begin < count; begin += kGroup) {
            const u64 size = std::min(count - begin, u64{kGroup});
            for (u64 i = 0; i < size; ++i) rows[i] = lo + begin + i;
            if constexpr (std::is_same_v<Store, WaveletStore<Symbol>>) {
                store_.symbols_and_ranks(rows, out + begin, size);
            } else {
                for (u64 i = 0; i < size; ++i) out[begin + i] = u32(store_.symbol(rows[i]));
            }
        }
    }

    u64 rank(u32 symbol, u64 row) const override { return store_.rank(symbol, row); }

    void locate(const i64* rows, u64 count, i64* positions, i64* documents) const override {
        for (u64 begin = 0; begin < count; begin += kWalkers) {
            const u64 size = count - begin < kWalkers ? count - begin : kWalkers;
            locate_group(rows + begin, size, positions ? positions + begin : nullptr,
                         documents ? documents + begin : nullptr);
        }
    }

    void check() const override;

protected:
    static constexpr u64 kGroup = Store::kGroup;
    static constexpr u64 kWalkers = 32;
    static constexpr u64 kUnknown = ~u64{0};
    static constexpr u64 kCopied = 32;  // entries of a stored list that are copied at a time: a line of symbols

    struct Walker {
        u64 row, steps, slot;
    };

    // The stored successors of a wide range: [from, to) in wide_symbols; false when it has none.
    bool find_wide(u64 lo, u64 hi, u64& from, u64& to) const {
        if (hi - lo < kWideRows) return false;
        u64 first = 0, left = a_.wide_rows.size / 2;
        while (left > 0) {
            const u64 half = left / 2, l = a_.wide_rows[2 * (first + half)], h = a_.wide_rows[2 * (first + half) + 1];
            if (l < lo || (l == lo && h < hi)) {
                first += half + 1;
                left -= half + 1;
            } else {
                left = half;
            }
        }
        if (2 * first >= a_.wide_rows.size || a_.wide_rows[2 * first] != lo || a_.wide_rows[2 * first + 1] != hi)
            return false;
        from = a_.wide_offsets[first];
        to = a_.wide_offsets[first + 1];
        return from <= to && to <= a_.wide_symbols.size && to - from < a_.symbols;
    }

    u64 copy_wide(u64 from, u64 to, u64 lo, u64 hi, i32* tokens, i64* counts) const {
        const Symbol* symbols = a_.wide_symbols.data + from;
        const u16* stored = a_.wide_counts.data + from;
        const u64 size = to - from, known = a_.symbols - 1;
        u16 most = 0;
        for (u64 begin = 0; begin < size; begin += kCopied) {
            const u64 end = std::min(begin + kCopied, size);
            prefetch_copy(symbols + begin, stored + begin, tokens + begin, counts + begin);
            for (u64 i = begin; i < end; ++i) {
                const u64 s = u64(symbols[i]) - 1;
                tokens[i] = a_.alphabet[FM_LIKELY(s < known) ? s : 0];
            }
            for (u64 i = begin; i < end; ++i) {
                counts[i] = stored[i];
                most = std::max(most, stored[i]);
            }
        }
        for (u64 i = 0; most == kManyCounts && i < size; ++i)
            if (stored[i] == kManyCounts) counts[i] = count_between(symbols[i], lo, hi);
        return size;
    }

    // What the next blocks read and write: a line that is written without having been fetched stalls the copy.
    static void prefetch_copy(const Symbol* symbols, const u16* stored, i32* tokens, i64* counts) {
        constexpr u64 kAhead = 4 * kCopied;
        FM_PREFETCH(symbols + 2 * kAhead);
        FM_PREFETCH(stored + 2 * kAhead);
        for (u64 i = 0; i < kCopied; i += 16) FM_PREFETCH_WRITE(tokens + kAhead + i);
        for (u64 i = 0; i < kCopied; i += 8) FM_PREFETCH_WRITE(counts + kAhead + i);
    }

    i64 count_between(u64 symbol, u64 lo, u64 hi) const {
        if (symbol >= a_.symbols) return 0;
        const u64 before = store_.rank(u32(symbol), lo), after = store_.rank(u32(symbol), hi);
        return after > before ? i64(after - before) : 0;
    }

    void locate_group(const i64* rows, u64 size, i64* positions, i64* documents) const {
        Walker walkers[kWalkers];
        u64 at[kWalkers], document[kWalkers], active = 0;
        for (u64 i = 0; i < size; ++i) {
            const u64 row = u64(rows[i]);
            document[i] = row < a_.documents ? row : kUnknown;
            at[i] = row < a_.documents ? a_.text_start(row) : 0;
            if (row >= a_.documents) walkers[active++] = {row, 0, i};
        }
        while (active) active = walk(walkers, active, at, document);
        for (u64 i = 0; i < size; ++i) resolve(at[i], document[i], positions ? positions + i : nullptr,
                                               documents ? documents + i : nullptr);
    }

    bool marked(u64 row, u64& value) const {
        const u64* line = a_.marks.data + row / kMarksPerLine * 8;
        const u64 inside = row % kMarksPerLine, word = inside / 64;
        if (!((line[1 + word] >> (inside & 63)) & 1)) return false;
        u64 index = line[0];
        for (u64 w = 0; w < word; ++w) index += popcount(line[1 + w]);
        index += popcount(line[1 + word] & low_mask(unsigned(inside & 63)));
        const u64 bit = index * a_.sample_bits();
        if (index > a_.rows || bit / 8 + kPadding > a_.samples.size) throw Damaged("a sample lies outside the samples");
        value = field_at(a_.samples.data, bit, a_.sample_bits()) << kSampleShift;
        return true;
    }

    // One step of every walker; finished ones leave. Returns how many remain.
    u64 walk(Walker* walkers, u64 active, u64* at, u64* document) const {
        u32 symbols[kWalkers];
        u64 next[kWalkers], kept = 0;
        for (u64 i = 0; i < active; ++i) {
            FM_PREFETCH(a_.marks.data + walkers[i].row / kMarksPerLine * 8);
            store_.prefetch_symbol(walkers[i].row);
        }
        for (u64 i = 0; i < active; ++i) {
            u64 position;
            if (marked(walkers[i].row, position)) {
                at[walkers[i].slot] = position >= walkers[i].steps ? position - walkers[i].steps : 0;
                continue;
            }
            if (walkers[i].steps > (u64{1} << kSampleShift)) throw Damaged("a row leads to no sample");
            next[kept] = walkers[i].row;
            walkers[kept++] = walkers[i];
        }
        if (kept == 0) return 0;
        last_to_first(next, symbols, kept);
        active = kept;
        kept = 0;
        for (u64 i = 0; i < active; ++i) {
            if (symbols[i] == 0) {
                finish_at_end(walkers[i], next[i], at, document);
                continue;
            }
            const u64 row = a_.first_row[symbols[i]] + next[i];
            walkers[kept++] = {row < a_.rows ? row : a_.rows - 1, walkers[i].steps + 1, walkers[i].slot};
        }
        return kept;
    }

    void finish_at_end(const Walker& walker, u64 rank, u64* at, u64* document) const {
        const u64 d = a_.ends[rank < a_.documents ? rank : a_.documents - 1];
        if (d >= a_.documents) throw Damaged("a document's end names no document");
        const u64 start = a_.text_start(d), last = a_.text_start(d + 1) - 1;
        at[walker.slot] = last >= start + walker.steps ? last - walker.steps : start;
        document[walker.slot] = d;
    }

    // rows -> occurrences of the row's symbol before it, and that symbol.
    void last_to_first(u64* rows, u32* symbols, u64 count) const {
        if constexpr (std::is_same_v<Store, WaveletStore<Symbol>>) {
            store_.symbols_and_ranks(rows, symbols, count);
        } else {
            u64 ranks[kGroup];
            for (u64 i = 0; i < count; ++i) symbols[i] = u32(store_.symbol(rows[i]));
            store_.ranks(symbols, rows, ranks, count);
            for (u64 i = 0; i < count; ++i) rows[i] = ranks[i];
        }
    }

    void resolve(u64 at, u64 document, i64* position_out, i64* document_out) const {
        if (at >= a_.rows) throw Damaged("a sample lies outside the text");
        if (document == kUnknown) document = document_at(at);
        const u64 position = at - document;  // of the token in `tokens`, plus one
        if (position_out) *position_out = i64(position) - 1;
        if (document_out) *document_out = i64(document);
    }

    // The last document whose marker is at or before `at`.
    u64 document_at(u64 at) const {
        const u64 known = a_.documents - 1;
        u64 first = a_.hints[at >> kHintShift], last = a_.hints[(at >> kHintShift) + 1];
        if (first > known) first = known;
        if (last > known) last = known;
        if (last < first) last = first;
        while (first < last) {
            const u64 middle = first + (last - first + 1) / 2;
            if (a_.text_start(middle) <= at) {
                first = middle;
            } else {
                last = middle - 1;
            }
        }
        return first < at ? first : at;
    }

    // Parts of `check`; in check_impl.hpp.
    void check_text() const;
    void check_ranks() const;
    void check_sample(u64 row, u64 position) const;
    void check_documents(u64 first, u64 last) const;
    void check_wide() const;

    Arrays<Symbol> a_;
    Store store_;
};

}  // namespace FM_ARCH
}  // namespace fm
