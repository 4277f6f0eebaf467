// From the sorted order to what the rows store: the BWT, the documents of its ends, and the position samples.
#pragma once

#include "build_text.hpp"

namespace fm {

struct Samples {
    Buffer<u64> marks;
    Buffer<u8> values;
};

// The document of each 256th text position, and the last document once more.
inline Buffer<u32> write_hints(const i64* offsets, u64 documents) {
    const u64 rows = u64(offsets[documents]) + documents;
    Buffer<u32> hints((rows >> kHintShift) + 2);
    u64 d = 0;
    for (u64 i = 0; i + 1 < hints.size(); ++i) {
        while (d + 1 < documents && u64(offsets[d + 1]) + d + 1 <= i << kHintShift) ++d;
        hints[i] = u32(d);
    }
    hints[hints.size() - 1] = documents ? u32(documents - 1) : 0;
    return hints;
}

inline u64 document_of(u64 position, const i64* offsets, const Buffer<u32>& hints) {
    u64 d = hints[position >> kHintShift];
    const u64 last = hints[(position >> kHintShift) + 1];
    while (d < last && u64(offsets[d + 1]) + d + 1 <= position) ++d;
    return d;
}

// Calls visit(row, position) for all rows in order.
template <class Index, class Visit>
void for_each_row(const i64* offsets, u64 documents, const Index* order, u64 tokens, const Progress& progress,
                  Visit&& visit) {
    for (u64 d = 0; d < documents; ++d) visit(d, u64(offsets[d]) + d);
    in_pieces(tokens, progress, [&](u64 from, u64 to) {
        for (u64 i = from; i < to; ++i) visit(documents + i, u64(order[i]));
    });
}

template <class Symbol, class Index>
Buffer<Symbol> write_bwt(const Buffer<Symbol>& text, const i64* offsets, u64 documents, const Index* order,
                         const Progress& progress) {
    constexpr u64 kAhead = 32;
    const u64 rows = text.size() - 1, tokens = rows - documents;
    Buffer<Symbol> bwt(rows);
    for_each_row(offsets, documents, order, tokens, progress, [&](u64 row, u64 position) {
        if (row >= documents && row - documents + kAhead < tokens)
            FM_PREFETCH(text.data() + order[row - documents + kAhead] + 1);
        bwt[row] = text[position + 1];
    });
    return bwt;
}

template <class Symbol, class Index>
Buffer<u32> write_ends(const Buffer<Symbol>& bwt, const i64* offsets, u64 documents, const Index* order,
                       const Buffer<u32>& hints) {
    Buffer<u32> ends(documents);
    u64 found = 0;
    for (u64 row = 0; row < bwt.size(); ++row) {
        if (bwt[row] != 0) continue;
        ends[found++] = row < documents ? u32(row) : u32(document_of(u64(order[row - documents]), offsets, hints));
    }
    return ends;
}

template <class Index>
Samples write_samples(const i64* offsets, u64 documents, const Index* order, u64 rows, const Progress& progress) {
    const unsigned bits = bit_width(rows >> kSampleShift);
    Samples out{Buffer<u64>((rows / kMarksPerLine + 1) * 8, true),
                Buffer<u8>(((rows >> kSampleShift) + 1) * bits / 8 + 1 + kPadding, true)};
    u64 found = 0;
    for_each_row(offsets, documents, order, rows - documents, progress, [&](u64 row, u64 position) {
        u64* line = out.marks.data() + row / kMarksPerLine * 8;
        const u64 inside = row % kMarksPerLine;
        if (inside == 0) line[0] = found;
        if (position & low_mask(kSampleShift)) return;
        line[1 + inside / 64] |= u64{1} << (inside & 63);
        u8* at = out.values.data() + (found * bits >> 3);
        store64(at, load64(at) | (position >> kSampleShift) << (found * bits & 7));
        ++found;
    });
    if (rows % kMarksPerLine == 0) out.marks[rows / kMarksPerLine * 8] = found;
    return out;
}

}  // namespace fm
