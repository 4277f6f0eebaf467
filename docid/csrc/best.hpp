// The k best documents of a query, and the best of any range of documents.
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

// Maxima over blocks of blocks: the greatest of any range of one query's scores by a look at few of them.
class RangeMaxima {
public:
    RangeMaxima(const float* scores, i64 n) {
        rows_.push_back({scores, n});
        while (rows_.back().second > kWidth) {
            const auto [values, size] = rows_.back();
            levels_.emplace_back();
            levels_.back().reserve(std::size_t((size + kWidth - 1) / kWidth));
            for (i64 first = 0; first < size; first += kWidth)
                levels_.back().push_back(greatest(values + first, std::min(kWidth, size - first)));
            rows_.push_back({levels_.back().data(), i64(levels_.back().size())});
        }
    }

    // -inf for an empty range.
    float of(i64 lo, i64 hi) const {
        float best = -std::numeric_limits<float>::infinity();
        for (std::size_t level = 0; level + 1 < rows_.size(); ++level) {
            const i64 first = (lo + kWidth - 1) / kWidth, last = hi / kWidth;
            if (first >= last) return std::max(best, most(level, lo, hi));
            // The ends that no whole block covers; what lies between is a range of the level above.
            best = std::max(best, most(level, lo, first * kWidth));
            best = std::max(best, most(level, last * kWidth, hi));
            lo = first;
            hi = last;
        }
        return std::max(best, most(rows_.size() - 1, lo, hi));
    }

private:
    static constexpr i64 kWidth = 64;

    static float greatest(const float* values, i64 n) { return *std::max_element(values, values + n); }

    float most(std::size_t level, i64 lo, i64 hi) const {
        if (lo >= hi) return -std::numeric_limits<float>::infinity();
        return greatest(rows_[level].first + lo, hi - lo);
    }

    std::vector<std::vector<float>> levels_;
    std::vector<std::pair<const float*, i64>> rows_;
};

}  // namespace docid
