// The k best documents of a query, and the best below each place of a trie.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "scoring.hpp"

namespace docid {

// Higher scores first, equal ones in document order.
struct Better {
    const float* scores;
    bool operator()(i64 a, i64 b) const { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; }
};

// The best `k` of documents 0 to n - 1 whose score is above -inf and which are legal (all where `legal` is null).
inline std::vector<i64> best_documents(const float* scores, const u8* legal, i64 n, i64 k) {
    const Better better{scores};
    std::vector<i64> kept;
    // Twice k and some more: then a cut to k is paid for by k documents that got in.
    const std::size_t room = std::size_t(2 * k + 1024);
    float least = -std::numeric_limits<float>::infinity();
    for (i64 d = 0; d < n; ++d) {
        // Later documents lose ties, so equal to the k-th is not enough. A NaN is never above.
        if (!(scores[d] > least) || (legal && !legal[d])) continue;
        kept.push_back(d);
        if (kept.size() < room) continue;
        std::nth_element(kept.begin(), kept.begin() + (k - 1), kept.end(), better);
        kept.resize(std::size_t(k));
        // nth_element leaves the k-th best in its place.
        least = scores[kept.back()];
    }
    const std::size_t wanted = std::min(kept.size(), std::size_t(k));
    std::partial_sort(kept.begin(), kept.begin() + std::ptrdiff_t(wanted), kept.end(), better);
    kept.resize(wanted);
    return kept;
}

// A trie as the places that lie directly below others: its nodes, parents before children, then its leaves.
class Places {
public:
    static constexpr u32 kNone = std::numeric_limits<u32>::max();

    // leaf_of: of each document, or kNone. parents: the node above each place; that of the root, place 0, is not read.
    Places(std::vector<u32> leaf_of, std::vector<u32> parents, i64 nodes)
        : leaf_of_(std::move(leaf_of)), parents_(std::move(parents)), nodes_(nodes) {}

    i64 documents() const { return i64(leaf_of_.size()); }
    i64 places() const { return i64(parents_.size()); }

    // best[p] = the greatest of the scores of the documents below place p; -inf where there are none, or only NaNs.
    void best_below(const float* scores, float* best) const {
        std::fill(best, best + places(), -std::numeric_limits<float>::infinity());
        float* leaves = best + nodes_;
        for (i64 d = 0; d < documents(); ++d)
            if (leaf_of_[std::size_t(d)] != kNone) raise(leaves[leaf_of_[std::size_t(d)]], scores[d]);
        for (i64 place = places() - 1; place > 0; --place) raise(best[parents_[std::size_t(place)]], best[place]);
    }

private:
    static void raise(float& greatest, float value) {
        if (value > greatest) greatest = value;
    }

    std::vector<u32> leaf_of_, parents_;
    i64 nodes_;
};

}  // namespace docid
