// Profile "compact": a 4-ary wavelet matrix (Claude, Navarro, Ordonez: The wavelet matrix, 2015, with digits of
// two bits) in lines of 128 bytes. Included once for each instruction set. Counters that come from a file
// are bounded where they are used.

namespace fm {
namespace FM_ARCH {

// Rank of each of the four digits.
struct Quad {
    u64 of[4];
};

template <class Symbol>
class WaveletStore {
public:
    static constexpr u64 kGroup = 64;

    WaveletStore(const Arrays<Symbol>& arrays, const std::vector<Postings>& postings)
        : lines_(arrays.wavelet.data), rows_(arrays.rows), symbols_(arrays.symbols),
          levels_(wavelet_levels(arrays.symbols)), level_lines_(wavelet_lines(arrays.rows)) {
        base_.resize(levels_);
        for (unsigned level = 0; level < levels_; ++level) {
            const Quad total = quad(level, rows_);
            u64 sum = 0;
            for (unsigned digit = 0; digit < 4; ++digit) {
                base_[level].of[digit] = bounded(sum);
                sum += total.of[digit];
            }
        }
        place_leaves(postings);
    }

    void prefetch_symbol(u64 row) const { prefetch(0, row); }

    // The symbol at `row`, and its occurrences before it.
    u64 symbol_and_rank(u64 row, u64& rank) const {
        u64 symbol = 0;
        for (unsigned level = 0; level < levels_; ++level) {
            const unsigned digit = digit_at(level, row);
            row = bounded(base_[level].of[digit] + quad(level, row).of[digit]);
            symbol = symbol * 4 + digit;
        }
        if (symbol >= symbols_) symbol = 0;
        rank = row > leaf_[symbol] ? row - leaf_[symbol] : 0;
        return symbol;
    }

    // The same for many rows, level by level.
    void symbols_and_ranks(u64* rows, u32* symbols, u64 count) const {
        for (u64 i = 0; i < count; ++i) symbols[i] = 0;
        for (unsigned level = 0; level < levels_; ++level) {
            for (u64 i = 0; i < count; ++i) prefetch(level, rows[i]);
            for (u64 i = 0; i < count; ++i) {
                if (rows[i] >= rows_) rows[i] = rows_ - 1;
                const unsigned digit = digit_at(level, rows[i]);
                rows[i] = bounded(base_[level].of[digit] + quad(level, rows[i]).of[digit]);
                symbols[i] = symbols[i] * 4 + digit;
            }
        }
        for (u64 i = 0; i < count; ++i) {
            if (symbols[i] >= symbols_) symbols[i] = 0;
            rows[i] = rows[i] > leaf_[symbols[i]] ? rows[i] - leaf_[symbols[i]] : 0;
        }
    }

    void ranks(const u32* symbols, const u64* rows, u64* out, u64 count) const {
        for (u64 i = 0; i < count; ++i) out[i] = rows[i];
        for (unsigned level = 0; level < levels_; ++level) {
            for (u64 i = 0; i < count; ++i) prefetch(level, out[i]);
            const unsigned shift = 2 * (levels_ - 1 - level);
            for (u64 i = 0; i < count; ++i) {
                const unsigned digit = (symbols[i] >> shift) & 3;
                out[i] = bounded(base_[level].of[digit] + one(level, out[i], digit));
            }
        }
        for (u64 i = 0; i < count; ++i) out[i] = out[i] > leaf_[symbols[i]] ? out[i] - leaf_[symbols[i]] : 0;
    }

    u64 rank(u32 symbol, u64 row) const {
        u64 out;
        ranks(&symbol, &row, &out, 1);
        return out;
    }

    // Replaces the nodes of `level` by their non-empty children, in order. The bound on rows keeps a damaged
    // matrix from making more nodes than rows.
    void descend(unsigned level, const std::vector<Node>& nodes, std::vector<Node>& children) const {
        constexpr u64 kAhead = 12;
        children.clear();
        for (u64 i = 0; i < nodes.size() && i < kAhead; ++i) prefetch_node(level, nodes[i]);
        for (u64 i = 0; i < nodes.size(); ++i) {
            if (i + kAhead < nodes.size()) prefetch_node(level, nodes[i + kAhead]);
            const Node& node = nodes[i];
            const Quad lo = quad(level, node.lo);
            Quad hi;
            if (node.hi == node.lo + 1) {
                hi = lo;
                ++hi.of[digit_at(level, node.lo)];
            } else {
                hi = quad(level, node.hi);
            }
            u64 left = node.hi - node.lo;
            for (unsigned digit = 0; digit < 4; ++digit) {
                if (hi.of[digit] <= lo.of[digit]) continue;
                const u64 from = bounded(base_[level].of[digit] + lo.of[digit]);
                const u64 width = hi.of[digit] - lo.of[digit];
                const u64 to = bounded(from + (width < left ? width : left));
                if (to <= from) continue;
                left -= to - from;
                children.push_back({from, to, node.prefix * 4 + digit, node.beam});
            }
        }
    }

    unsigned levels() const { return levels_; }

    // Throws Damaged where a line's counters do not count the digits before it.
    void check_counts() const {
        for (unsigned level = 0; level < levels_; ++level) {
            Quad before{{0, 0, 0, 0}};
            for (u64 row = 0; row <= rows_; row += kDigitsPerLine) {
                const Quad found = quad(level, row);
                if (!std::equal(found.of + 1, found.of + 4, before.of + 1))
                    throw Damaged("a line does not count the digits before it");
                const u64 size = std::min(kDigitsPerLine, rows_ - row);
                for (u64 i = 0; i < size; ++i) ++before.of[digit_at(level, row + i)];
            }
        }
    }

private:
    u64 bounded(u64 row) const { return row < rows_ ? row : rows_; }

    const u8* line(unsigned level, u64 row) const {
        return lines_ + (level * level_lines_ + row / kDigitsPerLine) * kLineBytes;
    }

    void prefetch(unsigned level, u64 row) const {
        const u8* at = line(level, row < rows_ ? row : rows_);
        FM_PREFETCH(at);
        FM_PREFETCH(at + 64);
    }

    void prefetch_node(unsigned level, const Node& node) const {
        prefetch(level, node.lo);
        if (node.hi != node.lo + 1) prefetch(level, node.hi);
    }

    unsigned digit_at(unsigned level, u64 row) const {
        const u8* at = line(level, row);
        const u64 inside = row % kDigitsPerLine;
        const u64 upper = load64(at + 16 + 8 * (inside / 64)), lower = load64(at + 72 + 8 * (inside / 64));
        return unsigned(((upper >> (inside & 63)) & 1) * 2 + ((lower >> (inside & 63)) & 1));
    }

    Quad quad(unsigned level, u64 row) const {
        const u8* at = line(level, row);
        const u64 inside = row % kDigitsPerLine, first = load64(at), second = load64(at + 8);
        u64 ones = first & low_mask(40), threes = (second >> 16) & low_mask(40);
        u64 twos = (first >> 40) | ((second & 0xffff) << 24);
        for (u64 word = 0; word * 64 < inside; ++word) {
            const u64 left = inside - word * 64, mask = left >= 64 ? ~u64{0} : low_mask(unsigned(left));
            const u64 upper = load64(at + 16 + 8 * word) & mask, lower = load64(at + 72 + 8 * word) & mask;
            threes += popcount(upper & lower);
            twos += popcount(upper & ~lower);
            ones += popcount(lower & ~upper);
        }
        const u64 others = ones + twos + threes;
        return {{row > others ? row - others : 0, ones, twos, threes}};
    }

    u64 one(unsigned level, u64 row, unsigned digit) const { return quad(level, row).of[digit]; }

    // The last level orders symbols by their digits read backwards; a leaf starts behind all smaller ones.
    void place_leaves(const std::vector<Postings>& postings) {
        std::vector<std::pair<u64, u32>> reversed(symbols_);
        for (u64 s = 0; s < symbols_; ++s) {
            u64 value = 0;
            for (unsigned level = 0; level < levels_; ++level) value |= ((s >> (2 * level)) & 3) << (2 * (levels_ - 1 - level));
            reversed[s] = {value, u32(s)};
        }
        std::sort(reversed.begin(), reversed.end());
        leaf_.resize(symbols_);
        u64 sum = 0;
        for (const auto& entry : reversed) {
            leaf_[entry.second] = sum;
            sum += postings[entry.second].count;
        }
    }

    const u8* lines_;
    u64 rows_, symbols_;
    unsigned levels_;
    u64 level_lines_;
    std::vector<Quad> base_;
    std::vector<u64> leaf_;
};

}  // namespace FM_ARCH
}  // namespace fm
