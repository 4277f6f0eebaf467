// merge_successors(): the successors of several shards as those of one index.
#include <algorithm>

#include "bind.hpp"

namespace fm {
namespace {

struct Lists {
    Span<i64> offsets;
    Span<i32> tokens;
    Span<i64> counts;
};

struct Merged {
    std::vector<i64> offsets, counts, shard_counts;
    std::vector<i32> tokens;
};

Lists lists_argument(const py::handle& shard) {
    const py::tuple parts = py::cast<py::tuple>(shard);
    if (parts.size() != 3) throw py::value_error("shards: expected tuples of offsets, tokens and counts.");
    const Lists lists{vector_argument<i64>(py::cast<py::array>(parts[0]), "offsets"),
                      vector_argument<i32>(py::cast<py::array>(parts[1]), "tokens"),
                      vector_argument<i64>(py::cast<py::array>(parts[2]), "counts")};
    same_length(lists.tokens.size, lists.counts.size, "counts");
    bool fits = lists.offsets.size > 0 && lists.offsets[0] == 0 &&
                u64(lists.offsets[lists.offsets.size - 1]) == lists.tokens.size;
    for (u64 b = 1; fits && b < lists.offsets.size; ++b) fits = lists.offsets[b] >= lists.offsets[b - 1];
    if (!fits) throw py::value_error("offsets: expected to ascend from 0 to the number of tokens.");
    return lists;
}

// Appends one beam's entries: the smallest token among the shards' heads, again and again.
void merge_beam(const std::vector<Lists>& shards, u64 beam, std::vector<u64>& heads, Merged& out) {
    for (u64 s = 0; s < shards.size(); ++s) heads[s] = u64(shards[s].offsets[beam]);
    while (true) {
        i64 least = INT64_MAX, sum = 0;
        for (u64 s = 0; s < shards.size(); ++s)
            if (heads[s] < u64(shards[s].offsets[beam + 1])) least = std::min(least, i64(shards[s].tokens[heads[s]]));
        if (least == INT64_MAX) return;
        for (u64 s = 0; s < shards.size(); ++s) {
            const bool here = heads[s] < u64(shards[s].offsets[beam + 1]) && shards[s].tokens[heads[s]] == least;
            const i64 count = here ? shards[s].counts[heads[s]++] : 0;
            out.shard_counts.push_back(count);
            sum += count;
        }
        out.tokens.push_back(i32(least));
        out.counts.push_back(sum);
    }
}

py::tuple merge(const py::list& arguments) {
    std::vector<Lists> shards;
    for (const py::handle& shard : arguments) shards.push_back(lists_argument(shard));
    if (shards.empty()) throw py::value_error("shards: expected at least one.");
    for (const Lists& lists : shards) same_length(shards[0].offsets.size, lists.offsets.size, "offsets");
    Merged out;
    {
        py::gil_scoped_release unlocked;
        std::vector<u64> heads(shards.size());
        out.offsets.push_back(0);
        for (u64 b = 0; b + 1 < shards[0].offsets.size; ++b) {
            merge_beam(shards, b, heads, out);
            out.offsets.push_back(i64(out.tokens.size()));
        }
    }
    const py::ssize_t entries = py::ssize_t(out.tokens.size()), width = py::ssize_t(shards.size());
    return py::make_tuple(give(std::move(out.offsets)), give(std::move(out.tokens)), give(std::move(out.counts)),
                          give(std::move(out.shard_counts)).reshape({entries, width}));
}

}  // namespace

void bind_shards(py::module_& module) { module.def("merge_successors", &merge, py::arg("shards")); }

}  // namespace fm
