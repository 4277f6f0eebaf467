// Successors over the wavelet matrix: the trees of several beams are walked together, level by level, so that
// the memory accesses of a level overlap. Included once for each instruction set.

namespace fm {
namespace FM_ARCH {

template <class Symbol>
class WaveletEngine : public StoreEngine<Symbol, WaveletStore<Symbol>> {
    using Base = StoreEngine<Symbol, WaveletStore<Symbol>>;
    using Base::a_;
    using Base::store_;

public:
    using Base::Base;

    u64 successors(const Ranges& r, i32* tokens, i64* counts, i64* at, Scratch& scratch) const override {
        u64 total = 0;
        in_groups(r, scratch, [&](u64 begin, u64 end, const Node* node, const Node* last) {
            for (u64 b = begin; b < end; ++b) {
                total += one(r, b, node, last, tokens + total, counts + total);
                at[b + 1 - r.begin] = i64(total);
            }
        });
        return total;
    }

    u64 best_successors(const Ranges& r, const Best& best, i32* tokens, i64* counts, i64* at,
                        Scratch& scratch) const override {
        u64 total = 0;
        in_groups(r, scratch, [&](u64 begin, u64 end, const Node* node, const Node* last) {
            for (u64 b = begin; b < end; ++b) {
                const u64 most = Base::most_successors(u64(r.lo[b]), u64(r.hi[b]));
                if (scratch.tokens.size() < most) scratch.tokens.resize(most), scratch.token_counts.resize(most);
                const u64 found = one(r, b, node, last, scratch.tokens.data(), scratch.token_counts.data());
                total += take_best(best, b, found, scratch, tokens + total, counts + total);
                at[b + 1 - r.begin] = i64(total);
            }
        });
        return total;
    }

    void scan(u64 lo, u64 hi, std::vector<u32>& symbols, std::vector<u32>& counts,
              Scratch& scratch) const override {
        symbols.clear();
        counts.clear();
        scratch.nodes.clear();
        if (lo < hi) scratch.nodes.push_back({lo, hi, 0, 0});
        descend_all(scratch);
        for (const Node& node : scratch.nodes) {
            if (node.prefix == 0 || node.prefix >= a_.symbols) continue;
            symbols.push_back(node.prefix);
            counts.push_back(u32(node.hi - node.lo));
        }
    }

private:
    static constexpr u64 kBeams = 32;

    // Walks the trees of up to kBeams beams, then hands their leaves, ordered by beam and symbol, to `consume`.
    template <class Consume>
    void in_groups(const Ranges& r, Scratch& scratch, Consume&& consume) const {
        for (u64 begin = r.begin; begin < r.end; begin += kBeams) {
            const u64 end = begin + kBeams < r.end ? begin + kBeams : r.end;
            scratch.nodes.clear();
            for (u64 b = begin; b < end; ++b) {
                u64 from, to;
                const u64 lo = u64(r.lo[b]), hi = u64(r.hi[b]);
                if (lo >= hi || Base::find_wide(lo, hi, from, to)) continue;
                scratch.nodes.push_back({lo, hi, 0, u32(b - r.begin)});
            }
            descend_all(scratch);
            consume(begin, end, scratch.nodes.data(), scratch.nodes.data() + scratch.nodes.size());
        }
    }

    void descend_all(Scratch& scratch) const {
        for (unsigned level = 0; level < store_.levels(); ++level) {
            store_.descend(level, scratch.nodes, scratch.children);
            scratch.nodes.swap(scratch.children);
        }
    }

    // One beam's entries: stored ones, or the leaves from `node` on, which moves past them.
    u64 one(const Ranges& r, u64 b, const Node*& node, const Node* last, i32* tokens, i64* counts) const {
        const u64 lo = u64(r.lo[b]), hi = u64(r.hi[b]);
        u64 from, to, size = 0;
        if (lo < hi && Base::find_wide(lo, hi, from, to)) return Base::copy_wide(from, to, lo, hi, tokens, counts);
        const u64 most = Base::most_successors(lo, hi);
        for (; node != last && node->beam == b - r.begin; ++node) {
            if (node->prefix == 0 || node->prefix >= a_.symbols || size == most) continue;
            tokens[size] = a_.alphabet[node->prefix - 1];
            counts[size++] = i64(node->hi - node->lo);
        }
        return size;
    }
};

}  // namespace FM_ARCH
}  // namespace fm
