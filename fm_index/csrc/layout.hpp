// The stored arrays of an index, and what follows from them without reading payload.
//
// Rows: row d < D stands for the begin marker of document d; the rows of symbol s are
// first_row[s] ... first_row[s + 1]. Symbol 0 is the marker, symbol s >= 1 the token alphabet[s - 1].
// bwt[row] is the symbol that follows the row's position in the text, 0 at a document's end.
#pragma once

#include <vector>

#include "common.hpp"

namespace fm {

template <class T>
struct Span {
    const T* data = nullptr;
    u64 size = 0;

    const T& operator[](u64 i) const { return data[i]; }
};

constexpr unsigned kSampleShift = 4;    // text positions divisible by 16 are sampled
constexpr u64 kMarksPerLine = 448;      // a line of 64 bytes: a count, then seven words of marks
constexpr unsigned kHintShift = 8;      // one document number for each 256 text positions
constexpr u64 kWideRows = 4096;         // contexts with so many rows have their successors stored
constexpr u16 kManyCounts = UINT16_MAX;  // a stored count that does not fit; ranks give it
constexpr u64 kPadding = 16;            // bytes behind a bit stream, so that a load of 64 bits stays inside
constexpr u64 kMaxRows = u64{1} << 40;  // the counters of a wavelet line have 40 bits

// Elias-Fano postings of one symbol, in buckets of 2^(low + 6) rows: a directory entry for each bucket but
// the first (occurrences before it), and in the bit stream, for each bucket with m occurrences, 64 + m bits of
// unary upper parts and m lower parts of `low` bits. A bucket's place follows from its directory entry.
struct Postings {
    u64 directory;  // index of the entry of bucket 1
    u64 bits;       // offset into the bit stream
    u64 count;      // occurrences
    u32 buckets;
    u32 low;

    unsigned shift() const { return low + 6; }
    u64 bucket_bits(u64 bucket, u64 before) const { return bits + before * (low + 1) + bucket * 64; }
};

// first_row has symbols + 1 entries. Returns one entry a symbol and one more that holds the totals.
inline std::vector<Postings> postings_of(Span<u64> first_row, u64 rows) {
    std::vector<Postings> all(first_row.size);
    u64 directory = 0, bits = 0, next = 0;
    for (u64 s = 0; s + 1 < first_row.size; ++s) {
        // The occurrences of symbol 0 in the BWT are the documents' ends, as many as its rows.
        const u64 count = first_row[s + 1] - first_row[s];
        // Without occurrences one bucket spans all rows, so that no directory entry is ever read.
        u32 low = count ? 0 : bit_width(rows);
        while (count && (count << low) < rows) ++low;
        const u64 buckets = (rows >> (low + 6)) + 1;
        all[s] = {directory, bits, count, u32(buckets), low};
        directory += buckets - 1;
        bits += count ? count * (low + 1) + buckets * 64 : 0;
        next = s + 1;
    }
    all[next] = {directory, bits, 0, 0, 0};
    return all;
}

// A 4-ary wavelet matrix: for each level lines of 128 bytes that hold 448 digits of two bits: three counters
// of 40 bits (digits 1, 2, 3 before the line), seven words of upper and seven of lower bits.
constexpr u64 kDigitsPerLine = 448;
constexpr u64 kLineBytes = 128;

inline unsigned wavelet_levels(u64 symbols) { return symbols > 1 ? (bit_width(symbols - 1) + 1) / 2 : 1; }
inline u64 wavelet_lines(u64 rows) { return rows / kDigitsPerLine + 1; }

template <class Symbol>
struct Arrays {
    u64 rows = 0, documents = 0, symbols = 0;  // symbols counts the marker
    Span<Symbol> text;                         // rows + 1
    Span<i64> offsets;                         // documents + 1
    Span<i32> alphabet;                        // symbols - 1, ascending
    Span<u64> first_row;                       // symbols + 1
    Span<u32> ends;                            // documents: the document of each 0 of the BWT, in row order
    Span<u32> hints;                           // document of each 256th text position, and one more
    Span<u64> marks;                           // lines of eight words
    Span<u8> samples;                          // packed: text position / 16 of each marked row
    Span<u64> wide_rows;                       // pairs, ascending
    Span<u64> wide_offsets;
    Span<Symbol> wide_symbols;
    Span<u16> wide_counts;                     // kManyCounts stands for that and more
    Span<Symbol> bwt;           // profile "fast": rows
    Span<u32> directory;        //
    Span<u8> postings;          //
    Span<u8> wavelet;           // profile "compact"

    unsigned sample_bits() const { return bit_width(rows >> kSampleShift); }
    u64 text_start(u64 document) const { return u64(offsets[document]) + document; }
};

}  // namespace fm
