// The distinct documents of ranges, from the documents of their rows.
#pragma once

#include "index.hpp"

namespace fm {

struct DocumentLists {
    std::vector<i64> documents, occurrences;
};

// Appends the documents of rows [lo, hi), ascending, at most `limit` of them: those that come first in row
// order. Without `count` no more rows are read than needed for that.
inline void append_documents(const Engine& engine, u64 lo, u64 hi, u64 limit, bool count, DocumentLists& out) {
    constexpr u64 kPiece = 1024;
    std::vector<i64> rows, documents, seen;
    for (u64 begin = lo; begin < hi && limit > 0; begin += kPiece) {
        const u64 size = hi - begin < kPiece ? hi - begin : kPiece;
        rows.resize(size);
        documents.resize(size);
        for (u64 i = 0; i < size; ++i) rows[i] = i64(begin + i);
        engine.locate(rows.data(), size, nullptr, documents.data());
        seen.insert(seen.end(), documents.begin(), documents.end());
        if (count || limit == ~u64{0}) continue;
        std::vector<i64> distinct(seen);
        std::sort(distinct.begin(), distinct.end());
        if (u64(std::unique(distinct.begin(), distinct.end()) - distinct.begin()) >= limit) break;
    }
    std::vector<i64> chosen;
    if (limit != ~u64{0}) {
        std::vector<i64> sorted;
        for (i64 d : seen) {
            if (chosen.size() == limit) break;
            const auto at = std::lower_bound(sorted.begin(), sorted.end(), d);
            if (at != sorted.end() && *at == d) continue;
            sorted.insert(at, d);
            chosen.push_back(d);
        }
        chosen.swap(sorted);
    }
    std::sort(seen.begin(), seen.end());
    for (u64 i = 0; i < seen.size();) {
        u64 end = i + 1;
        while (end < seen.size() && seen[end] == seen[i]) ++end;
        if (limit == ~u64{0} || std::binary_search(chosen.begin(), chosen.end(), seen[i])) {
            out.documents.push_back(seen[i]);
            if (count) out.occurrences.push_back(i64(end - i));
        }
        i = end;
    }
}

}  // namespace fm
