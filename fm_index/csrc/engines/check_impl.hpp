// Whether the stored arrays of an index say the same of the same text, in time linear in the index.
// Included once for each instruction set.
//
// Every row's symbol is ranked where it occurs and just behind, which fixes the ranks of all other rows; every
// document is walked, all its rows against its text, its samples and its end. Since ranks are right, the walk is a
// permutation, and the order of the rows is the only one that fits the text.

namespace fm {
namespace FM_ARCH {

inline void agree(bool holds, const char* what) {
    if (FM_UNLIKELY(!holds)) throw Damaged(what);
}

template <class Symbol, class Store>
void StoreEngine<Symbol, Store>::check() const {
    check_text();
    store_.check_counts();
    check_ranks();
    for (u64 d = 0; d < a_.documents; d += kGroup) check_documents(d, std::min(a_.documents, d + kGroup));
    check_wide();
}

template <class Symbol, class Store>
void StoreEngine<Symbol, Store>::check_text() const {
    u64 hint = 0;
    for (u64 d = 0; d < a_.documents; ++d) {
        agree(a_.offsets[d] <= a_.offsets[d + 1] && u64(a_.offsets[d + 1]) <= a_.rows - a_.documents,
              "the documents' offsets do not ascend");
        const u64 start = a_.text_start(d), end = a_.text_start(d + 1);
        agree(a_.text[start] == 0, "a document does not start with its marker");
        for (u64 i = start + 1; i < end; ++i)
            agree(a_.text[i] != 0 && u64(a_.text[i]) < a_.symbols, "the text holds an unknown symbol");
        // Hints are kept for places up to the last row, which may lie behind the last document.
        const u64 stop = d + 1 < a_.documents ? end : (a_.rows >> kHintShift << kHintShift) + 1;
        for (; hint << kHintShift < stop; ++hint) agree(a_.hints[hint] == d, "a hint names another document");
    }
    agree(a_.text[a_.rows] == 0, "the text does not close with a marker");
    if (a_.documents) agree(a_.hints[a_.hints.size - 1] == a_.documents - 1, "a hint names another document");
}

template <class Symbol, class Store>
void StoreEngine<Symbol, Store>::check_ranks() const {
    std::vector<u64> seen(a_.symbols, 0);
    u32 found[kGroup];
    u64 rows[kGroup], here[kGroup], behind[kGroup];
    for (u64 begin = 0; begin < a_.rows; begin += kGroup) {
        const u64 size = std::min(a_.rows - begin, u64{kGroup});
        symbols(begin, size, found);
        for (u64 i = 0; i < size; ++i) rows[i] = begin + i;
        store_.ranks(found, rows, here, size);
        for (u64 i = 0; i < size; ++i) ++rows[i];
        store_.ranks(found, rows, behind, size);
        for (u64 i = 0; i < size; ++i) {
            const u64 before = seen[found[i]]++;
            agree(here[i] == before && behind[i] == before + 1, "a symbol's rank is wrong");
        }
    }
    for (u64 s = 0; s < a_.symbols; ++s)
        agree(seen[s] == a_.first_row[s + 1] - a_.first_row[s], "a symbol does not occur as often as it has rows");
}

template <class Symbol, class Store>
void StoreEngine<Symbol, Store>::check_sample(u64 row, u64 position) const {
    u64 stored = 0;
    const bool sampled = (position & low_mask(kSampleShift)) == 0;
    agree(marked(row, stored) == sampled && (!sampled || stored == position), "the sample of a row is wrong");
}

// Documents from `first` to `last` (at most kGroup), all in step, so that the accesses of a step overlap.
template <class Symbol, class Store>
void StoreEngine<Symbol, Store>::check_documents(u64 first, u64 last) const {
    u32 found[kGroup];
    u64 rows[kGroup], ranks[kGroup], documents[kGroup], alive = 0;
    for (u64 d = first; d < last; ++d) {
        check_sample(d, a_.text_start(d));
        rows[alive] = documents[alive] = d;
        ++alive;
    }
    for (u64 step = 1; alive; ++step) {
        for (u64 i = 0; i < alive; ++i) store_.prefetch_symbol(rows[i]);
        for (u64 i = 0; i < alive; ++i) {
            symbols(rows[i], 1, found + i);
            agree(found[i] == a_.text[a_.text_start(documents[i]) + step], "a row's symbol is not its text's");
        }
        store_.ranks(found, rows, ranks, alive);
        u64 kept = 0;
        for (u64 i = 0; i < alive; ++i) {
            if (found[i] == 0) {
                agree(a_.ends[ranks[i]] == documents[i], "a document's end names another document");
                continue;
            }
            rows[kept] = a_.first_row[found[i]] + ranks[i];
            documents[kept] = documents[i];
            check_sample(rows[kept], a_.text_start(documents[kept]) + step);
            ++kept;
        }
        alive = kept;
    }
}

template <class Symbol, class Store>
void StoreEngine<Symbol, Store>::check_wide() const {
    const u64 contexts = a_.wide_rows.size / 2;
    agree(a_.wide_offsets[0] == 0 && a_.wide_offsets[contexts] == a_.wide_symbols.size,
          "the stored successors are not divided by their offsets");
    for (u64 c = 0; c < contexts; ++c) {
        const u64 lo = a_.wide_rows[2 * c], hi = a_.wide_rows[2 * c + 1];
        const u64 from = a_.wide_offsets[c], to = a_.wide_offsets[c + 1];
        agree(lo < hi && hi <= a_.rows && hi - lo >= kWideRows && from <= to && to <= a_.wide_symbols.size,
              "a stored context is no range of rows");
        agree(c == 0 || a_.wide_rows[2 * c - 2] < lo || (a_.wide_rows[2 * c - 2] == lo && a_.wide_rows[2 * c - 1] < hi),
              "the stored contexts do not ascend");
        u64 sum = u64(count_between(0, lo, hi));
        for (u64 i = from; i < to; ++i) {
            agree(a_.wide_symbols[i] != 0 && (i == from || a_.wide_symbols[i] > a_.wide_symbols[i - 1]),
                  "the stored successors do not ascend");
            const u64 count = u64(count_between(a_.wide_symbols[i], lo, hi));
            agree(count > 0 && a_.wide_counts[i] == std::min<u64>(count, kManyCounts),
                  "the count of a stored successor is wrong");
            sum += count;
        }
        agree(sum == hi - lo, "a stored context lacks a successor");
    }
}

}  // namespace FM_ARCH
}  // namespace fm
