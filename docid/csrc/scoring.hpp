// What a query gives to all documents at once: sums of code tables, and the words that a document holds.
//
// One build serves every machine: with gathers of AVX2 the sums took a third longer than with these plain loops
// (Zen 4, 1 M documents of 32 codes), since a sum is bound by its table's loads and not by its additions.
#pragma once

#include <algorithm>
#include <cstdint>

namespace docid {

using i64 = std::int64_t;
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;

// Codes level by level, so that the codes of neighbouring documents lie side by side: codes[level * documents + d].
template <class Code>
struct Codes {
    const Code* codes;
    i64 levels, documents;
};

// What each code of each level is worth to each query: values[(query * levels + level) * width + code].
struct Tables {
    const float* values;
    i64 queries, levels, width;
};

// The documents that hold each token, ascending: postings[offsets[t]] to postings[offsets[t + 1] - 1]. The lowest bits
// of each are a level, the others the document's number.
struct Postings {
    const i64* offsets;
    const u32* postings;
};

constexpr int kLevelBits = 4;
constexpr u32 kLevelCount = 1u << kLevelBits;

// A query's tokens and what each is worth, of which a document gets shares[level]: entries offsets[q] to
// offsets[q + 1] - 1.
struct Weighted {
    const i64* offsets;
    const i64* tokens;
    const float* weights;
    const float* shares;
};

// Documents whose sums stay in the first-level cache, together with the tables of a few levels and their codes.
constexpr i64 kBlock = 2048;
// Levels of one pass over a block: each pass reads and writes the sums once.
constexpr i64 kLevels = 8;

// One pass. A document's levels are added one after the other whatever their number is, so that results do not
// depend on blocks, threads or the processor, to the last bit.
template <i64 levels, class Code>
inline void add_levels(const Codes<Code>& all, const float* table, i64 width, i64 level, i64 first, i64 n, float* sums) {
    const Code* codes = all.codes + level * all.documents + first;
    for (i64 d = 0; d < n; ++d) {
        float sum = sums[d];
        for (i64 l = 0; l < levels; ++l) sum += table[l * width + codes[l * all.documents + d]];
        sums[d] = sum;
    }
}

// out[query * documents + d] for d in [begin, end).
template <class Code>
void sum_codes(const Codes<Code>& all, const Tables& tables, i64 begin, i64 end, float* out) {
    for (i64 first = begin; first < end; first += kBlock) {
        const i64 n = std::min(kBlock, end - first);
        for (i64 query = 0; query < tables.queries; ++query) {
            float* sums = out + query * all.documents + first;
            std::fill(sums, sums + n, 0.0f);
            const float* own = tables.values + query * tables.levels * tables.width;
            i64 level = 0;
            for (; level + kLevels <= all.levels; level += kLevels)
                add_levels<kLevels>(all, own + level * tables.width, tables.width, level, first, n, sums);
            for (; level < all.levels; ++level)
                add_levels<1>(all, own + level * tables.width, tables.width, level, first, n, sums);
        }
    }
}

// Adds to out[q * documents + d] for d in [begin, end), token by token in the query's order.
inline void add_words(const Postings& postings, const Weighted& query, i64 queries, i64 documents, i64 begin, i64 end,
                      float* out) {
    for (i64 q = 0; q < queries; ++q) {
        float* sums = out + q * documents;
        for (i64 entry = query.offsets[q]; entry < query.offsets[q + 1]; ++entry) {
            const i64 token = query.tokens[entry];
            // Products are rounded before they are added, whatever a processor could do in one step.
            float worth[kLevelCount];
            for (u32 level = 0; level < kLevelCount; ++level) worth[level] = query.weights[entry] * query.shares[level];
            const u32* last = postings.postings + postings.offsets[token + 1];
            const u32* at = std::lower_bound(postings.postings + postings.offsets[token], last, begin,
                                             [](u32 posting, i64 d) { return i64(posting >> kLevelBits) < d; });
            for (; at != last && i64(*at >> kLevelBits) < end; ++at)
                sums[*at >> kLevelBits] += worth[*at & (kLevelCount - 1)];
        }
    }
}

}  // namespace docid
