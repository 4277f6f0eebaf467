// The interface between the bindings and the hot loops, which are compiled once for each instruction set.
#pragma once

#include <memory>
#include <vector>

#include "layout.hpp"

namespace fm {

constexpr u32 kNoSymbol = ~u32{0};

// A node of the wavelet tree of one beam.
struct Node {
    u64 lo, hi;
    u32 prefix, beam;
};

// An entry of a beam's successors and its score; the better one is the smaller.
struct Scored {
    float score;
    u32 entry;

    bool operator<(const Scored& other) const {
        return score != other.score ? score > other.score : entry < other.entry;
    }
};

// Working memory of one thread during one call; kept and used again.
struct Scratch {
    std::vector<u32> counts;       // one a symbol, all zero between beams
    std::vector<u64> seen, pages;  // bitmaps of the symbols seen, and of the words of `seen`
    std::vector<Node> nodes, children;
    std::vector<i32> tokens;  // one beam's successors
    std::vector<i64> token_counts;
    std::vector<Scored> heap;
};

// One call's beams; lo and hi are checked by the caller to lie in [0, rows].
struct Ranges {
    const i64* lo;
    const i64* hi;
    u64 begin, end;  // the beams of this piece of work
};

struct Best {
    const float* scores;  // [beams, width], or null for all successors
    u64 width;
    u64 k;
};

class Engine {
public:
    virtual ~Engine() = default;

    // out_lo, out_hi: [0, 0) where symbols[i] is kNoSymbol or the range is empty.
    virtual void step(const Ranges& ranges, const u32* symbols, i64* out_lo, i64* out_hi) const = 0;
    // The ranges of chosen successors with known counts.
    virtual void children(const Ranges& ranges, const u32* symbols, const i64* counts, i64* out_lo,
                          i64* out_hi) const = 0;
    // Writes tokens and counts from index 0 on, and at[b + 1 - begin] = entries up to beam b.
    // Returns the number of entries.
    virtual u64 successors(const Ranges& ranges, i32* tokens, i64* counts, i64* at, Scratch& scratch) const = 0;
    virtual u64 best_successors(const Ranges& ranges, const Best& best, i32* tokens, i64* counts, i64* at,
                                Scratch& scratch) const = 0;
    // The text position (the marker's for a document's start) and the document of each row. Either may be null.
    virtual void locate(const i64* rows, u64 count, i64* positions, i64* documents) const = 0;
    // The symbol that follows each row of [lo, lo + count), 0 at a document's end.
    virtual void symbols(u64 lo, u64 count, u32* out) const = 0;
    // Whether the successors of a range are stored; most_successors is then exact.
    virtual bool is_stored(u64 lo, u64 hi) const = 0;
    // The most entries that a beam can have.
    virtual u64 most_successors(u64 lo, u64 hi) const = 0;
    // Symbols and counts of a range by scanning; for building. Symbol 0 is left out.
    virtual void scan(u64 lo, u64 hi, std::vector<u32>& symbols, std::vector<u32>& counts, Scratch& scratch) const = 0;
    virtual u64 rank(u32 symbol, u64 row) const = 0;
    // Throws Damaged where the stored arrays do not agree.
    virtual void check() const = 0;
};

// The engine for this machine's instruction set; `baseline` forces the one that runs everywhere.
template <class Symbol>
std::unique_ptr<Engine> make_engine(const Arrays<Symbol>& arrays, const std::vector<Postings>& postings,
                                    bool compact, bool baseline);

}  // namespace fm
