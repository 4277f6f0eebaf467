// From tokens and offsets to the sorter's text: symbols in place of tokens, a marker before each document.
#pragma once

#include <algorithm>
#include <vector>

#include "buffer.hpp"
#include "progress.hpp"

namespace fm {

constexpr u64 kTableTokens = u64{1} << 24;  // up to this token id a table maps tokens to symbols

// Maps tokens to symbols 1, 2, ... in order of tokens.
class Alphabet {
public:
    template <class Token>
    static Alphabet of(const Token* tokens, u64 size, u64 largest) {
        Alphabet alphabet;
        if (largest < kTableTokens) {
            alphabet.table_.assign(size ? largest + 1 : 0, 0);
            for (u64 i = 0; i < size; ++i) alphabet.table_[u64(tokens[i])] = 1;
            for (u64 t = 0; t < alphabet.table_.size(); ++t)
                if (alphabet.table_[t]) {
                    alphabet.tokens_.push_back(i32(t));
                    alphabet.table_[t] = u32(alphabet.tokens_.size());
                }
        } else {
            alphabet.tokens_.assign(tokens, tokens + size);
            std::sort(alphabet.tokens_.begin(), alphabet.tokens_.end());
            alphabet.tokens_.erase(std::unique(alphabet.tokens_.begin(), alphabet.tokens_.end()),
                                   alphabet.tokens_.end());
            alphabet.tokens_.shrink_to_fit();
        }
        return alphabet;
    }

    u32 symbol(u64 token) const {
        if (!table_.empty()) return table_[token];
        return u32(std::lower_bound(tokens_.begin(), tokens_.end(), i32(token)) - tokens_.begin()) + 1;
    }

    const std::vector<i32>& tokens() const { return tokens_; }

private:
    std::vector<u32> table_;
    std::vector<i32> tokens_;
};

// 0 d_0 0 d_1 ... 0 d_{D-1} 0
template <class Symbol, class Token>
Buffer<Symbol> write_text(const Token* tokens, const i64* offsets, u64 documents, const Alphabet& alphabet,
                          const Progress& progress) {
    Buffer<Symbol> text(u64(offsets[documents]) + documents + 1);
    u64 at = 0;
    in_pieces(documents, progress, [&](u64 from, u64 to) {
        for (u64 d = from; d < to; ++d) {
            text[at++] = 0;
            for (i64 i = offsets[d]; i < offsets[d + 1]; ++i) text[at++] = Symbol(alphabet.symbol(u64(tokens[i])));
        }
    });
    text[at] = 0;
    return text;
}

}  // namespace fm
