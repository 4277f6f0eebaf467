// Choosing the best-scored successors of one beam. Included once for each instruction set.

namespace fm {
namespace FM_ARCH {

// Copies the k best of the scratch's first `found` entries, in order of tokens. A NaN score counts as the lowest.
inline u64 take_best(const Best& best, u64 beam, u64 found, Scratch& scratch, i32* tokens, i64* counts) {
    const float* scores = best.scores + beam * best.width;
    std::vector<Scored>& heap = scratch.heap;
    heap.clear();
    for (u64 i = 0; i < found; ++i) {
        const u64 token = u64(scratch.tokens[i]);
        if (token >= best.width) throw Damaged("a token lies outside the scores");
        const float score = scores[token];
        const Scored item{score == score ? score : -std::numeric_limits<float>::infinity(), u32(i)};
        if (heap.size() < best.k) {
            heap.push_back(item);
            std::push_heap(heap.begin(), heap.end());
        } else if (item < heap.front()) {
            std::pop_heap(heap.begin(), heap.end());
            heap.back() = item;
            std::push_heap(heap.begin(), heap.end());
        }
    }
    std::sort(heap.begin(), heap.end(), [](const Scored& a, const Scored& b) { return a.entry < b.entry; });
    for (u64 i = 0; i < heap.size(); ++i) {
        tokens[i] = scratch.tokens[heap[i].entry];
        counts[i] = scratch.token_counts[heap[i].entry];
    }
    return heap.size();
}

}  // namespace FM_ARCH
}  // namespace fm
