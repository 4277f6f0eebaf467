// The distinct documents of ranges, from the documents of their rows.
#pragma once

#include <unordered_set>

#include "index.hpp"

namespace fm {

struct DocumentLists {
    std::vector<i64> documents, occurrences;
};

class DocumentLister {
public:
    explicit DocumentLister(const Engine& engine) : engine_(engine) {}

    // Appends all documents of rows [lo, hi), ascending, with their occurrences.
    void append_all(u64 lo, u64 hi, DocumentLists& out) {
        documents_.resize(hi - lo);
        read(lo, hi - lo, documents_.data());
        append_counts(out);
    }

    // At most `limit` of them: those that come first in row order; reads no more rows than that takes.
    void append_first(u64 lo, u64 hi, u64 limit, DocumentLists& out) {
        std::unordered_set<i64> chosen;
        u64 piece = 64;
        for (u64 begin = lo; begin < hi && chosen.size() < limit; begin += documents_.size(), piece *= 2) {
            documents_.resize(std::min(piece, hi - begin));
            read(begin, documents_.size(), documents_.data());
            for (u64 i = 0; i < documents_.size() && chosen.size() < limit; ++i) chosen.insert(documents_[i]);
        }
        documents_.assign(chosen.begin(), chosen.end());
        append_counts(out);
    }

    // The same documents as append_first, with their occurrences in the whole range.
    void append_first_counted(u64 lo, u64 hi, u64 limit, DocumentLists& out) {
        DocumentLists all, first;
        append_first(lo, hi, limit, first);
        append_all(lo, hi, all);
        for (u64 i = 0; i < all.documents.size(); ++i) {
            if (!std::binary_search(first.documents.begin(), first.documents.end(), all.documents[i])) continue;
            out.documents.push_back(all.documents[i]);
            out.occurrences.push_back(all.occurrences[i]);
        }
    }

private:
    void read(u64 lo, u64 count, i64* documents) {
        constexpr u64 kPiece = 4096;
        for (u64 begin = 0; begin < count; begin += kPiece) {
            rows_.resize(std::min(kPiece, count - begin));
            for (u64 i = 0; i < rows_.size(); ++i) rows_[i] = i64(lo + begin + i);
            engine_.locate(rows_.data(), rows_.size(), nullptr, documents + begin);
        }
    }

    void append_counts(DocumentLists& out) {
        std::sort(documents_.begin(), documents_.end());
        for (u64 i = 0; i < documents_.size();) {
            u64 end = i + 1;
            while (end < documents_.size() && documents_[end] == documents_[i]) ++end;
            out.documents.push_back(documents_[i]);
            out.occurrences.push_back(i64(end - i));
            i = end;
        }
    }

    const Engine& engine_;
    std::vector<i64> rows_, documents_;
};

}  // namespace fm
