// score_passages(): passages ranked by their keys, many queries at once.
#include <atomic>
#include <cmath>

#include <pybind11/stl.h>

#include "bound_index.hpp"
#include "scorer.hpp"

namespace fm {
namespace {

// The keys of all queries, as fm_index/scoring.py prepares them.
struct KeyArrays {
    Span<i64> tokens, offsets, bounds, lo, hi, occurrences;
    Span<double> weights;
    Span<bool> at_start, unigrams;

    u64 keys() const { return weights.size; }
    u64 queries() const { return bounds.size - 1; }
};

void check_ascending(const Span<i64>& offsets, u64 last, i64 step, const char* name) {
    bool fits = offsets.size > 0 && offsets[0] == 0 && u64(offsets[offsets.size - 1]) == last;
    for (u64 i = 1; fits && i < offsets.size; ++i) fits = offsets[i] - offsets[i - 1] >= step;
    if (!fits) throw py::value_error(std::string(name) + ": expected to ascend from 0 to " + std::to_string(last) + ".");
}

KeyArrays keys_argument(const py::tuple& arrays, u64 shards) {
    if (arrays.size() != 9) throw py::value_error("keys: expected nine arrays.");
    const auto ints = [&](int i, const char* name) { return vector_argument<i64>(py::cast<py::array>(arrays[i]), name); };
    KeyArrays keys;
    keys.tokens = ints(0, "tokens");
    keys.offsets = ints(1, "offsets");
    keys.bounds = ints(2, "bounds");
    keys.lo = ints(3, "lo");
    keys.hi = ints(4, "hi");
    keys.occurrences = ints(5, "occurrences");
    keys.weights = vector_argument<double>(py::cast<py::array>(arrays[6]), "weights");
    keys.at_start = vector_argument<bool>(py::cast<py::array>(arrays[7]), "at_start");
    keys.unigrams = vector_argument<bool>(py::cast<py::array>(arrays[8]), "unigrams");
    same_length(keys.keys() + 1, keys.offsets.size, "offsets");
    check_ascending(keys.offsets, keys.tokens.size, 1, "offsets");
    check_ascending(keys.bounds, keys.keys(), 0, "bounds");
    same_length(keys.keys() * shards, keys.lo.size, "lo");
    same_length(keys.keys() * shards, keys.hi.size, "hi");
    same_length(keys.keys(), keys.occurrences.size, "occurrences");
    same_length(keys.keys(), keys.at_start.size, "at_start");
    same_length(keys.keys(), keys.unigrams.size, "unigrams");
    for (u64 k = 0; k < keys.keys(); ++k)
        if (!(keys.weights[k] >= 0) || std::isinf(keys.weights[k]))
            throw py::value_error("weights: expected finite numbers of 0 or more, found " + std::to_string(keys.weights[k]) + ".");
    return keys;
}

Shards shards_argument(const std::vector<BoundIndex*>& indexes, const py::array& removed) {
    if (indexes.empty()) throw py::value_error("shards: expected at least one.");
    Shards shards;
    shards.bases.push_back(0);
    for (const BoundIndex* index : indexes) {
        shards.indexes.push_back(&index->index());
        shards.bases.push_back(shards.bases.back() + index->index().documents());
    }
    const Span<bool> marks = vector_argument<bool>(removed, "removed");
    if (marks.size) same_length(shards.bases.back(), marks.size, "removed");
    shards.removed = marks;
    return shards;
}

// The rows of every key in each shard, inside the shard.
std::vector<KeyRows> rows_of(const KeyArrays& keys, const Shards& shards) {
    std::vector<KeyRows> rows;
    for (u64 s = 0; s < shards.indexes.size(); ++s) {
        rows.push_back({keys.lo.data + s * keys.keys(), keys.hi.data + s * keys.keys()});
        for (u64 k = 0; k < keys.keys(); ++k) {
            const i64 lo = rows[s].lo[k], hi = rows[s].hi[k];
            if (lo < 0 || lo > hi || hi > i64(shards.indexes[s]->rows()))
                throw py::value_error("lo, hi: expected rows of the shard, found " + std::to_string(lo) + ", " + std::to_string(hi) + ".");
        }
    }
    return rows;
}

// The keys of one query that are worth something: n-grams by weight, then unigrams by weight.
std::vector<Key> keys_of(const KeyArrays& all, u64 query) {
    std::vector<Key> keys;
    for (u64 k = u64(all.bounds[query]); k < u64(all.bounds[query + 1]); ++k)
        if (all.weights[k] > 0)
            keys.push_back({all.tokens.data + all.offsets[k], u64(all.offsets[k + 1] - all.offsets[k]), all.weights[k],
                            u64(all.occurrences[k]), k, all.at_start[k], all.unigrams[k]});
    std::stable_sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
        return a.unigram != b.unigram ? b.unigram : a.weight > b.weight;
    });
    return keys;
}

py::tuple given(ScoredQuery found, i64 first_key) {
    for (i64& key : found.match_keys) key -= first_key;
    return py::make_tuple(give(std::move(found.passages)), give(std::move(found.scores)), found.located,
                          give(std::move(found.match_offsets)), give(std::move(found.match_keys)),
                          give(std::move(found.contributions)), give(std::move(found.starts)), give(std::move(found.ends)));
}

py::list score_passages(const std::vector<BoundIndex*>& indexes, const py::array& removed, const py::tuple& arrays,
                        const std::tuple<double, double, bool>& shares, const std::tuple<u64, u64, u64>& limits,
                        u64 threads, bool with_matches, bool fill) {
    const Shards shards = shards_argument(indexes, removed);
    const KeyArrays keys = keys_argument(arrays, shards.indexes.size());
    const std::vector<KeyRows> rows = rows_of(keys, shards);
    const ScorerOptions options{std::get<0>(shares), std::get<1>(shares), std::get<2>(shares),
                                std::get<0>(limits), std::get<1>(limits), std::get<2>(limits), fill};
    std::vector<ScoredQuery> found(keys.queries());
    {
        py::gil_scoped_release unlocked;
        std::atomic<u64> next{0};
        indexes[0]->workers().run(std::max<u64>(1, std::min(threads, keys.queries())), [&](u64) {
            Scorer scorer(shards, options);
            for (u64 q = next++; q < keys.queries(); q = next++) found[q] = scorer.run(keys_of(keys, q), rows, with_matches);
        });
    }
    py::list out;
    for (u64 q = 0; q < keys.queries(); ++q) out.append(given(std::move(found[q]), keys.bounds[q]));
    return out;
}

}  // namespace

void bind_scorer(py::module_& module) {
    module.def("score_passages", &score_passages, py::arg("shards"), py::arg("removed"), py::arg("keys"), py::arg("shares"),
               py::arg("limits"), py::arg("threads"), py::arg("matches"), py::arg("fill"));
}

}  // namespace fm
