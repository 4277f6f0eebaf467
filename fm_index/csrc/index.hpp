// An index over arrays that somebody else keeps alive: checks what can be checked without reading payload, and
// spreads each call over threads.
#pragma once

#include <algorithm>
#include <string>

#include "engine.hpp"
#include "workers.hpp"

namespace fm {

constexpr u64 kMaxTable = u64{1} << 20;  // up to this vocabulary a table maps tokens to symbols when loading

struct Shape {
    u64 documents = 0;
    u64 vocab_size = 0;
    bool compact = false;
    bool baseline = false;
};

// Everything that does not depend on the width of symbols.
class Index {
public:
    virtual ~Index() = default;
    virtual void extract(u64 document, i32* tokens) const = 0;
    virtual u64 length(u64 document) const = 0;
    // Throws Damaged where the stored arrays do not agree with one another.
    void check() const { engine_->check(); }

    u32 symbol(i64 token) const {
        if (token < 0) return kNoSymbol;
        if (!table_.empty()) return u64(token) < table_.size() ? table_[u64(token)] : kNoSymbol;
        const i32* end = alphabet_.data + alphabet_.size;
        const i32* at = token > INT32_MAX ? end : std::lower_bound(alphabet_.data, end, i32(token));
        return at != end && *at == token ? u32(at - alphabet_.data) + 1 : kNoSymbol;
    }

    const Engine& engine() const { return *engine_; }
    u64 rows() const { return rows_; }
    u64 documents() const { return documents_; }

protected:
    void check_alphabet(u64 vocab_size) const {
        for (u64 i = 0; i < alphabet_.size; ++i)
            if (alphabet_[i] < 0 || u64(alphabet_[i]) >= vocab_size || (i && alphabet_[i] <= alphabet_[i - 1]))
                throw Damaged("the alphabet is not ascending within the vocabulary");
    }

    void fill_table(u64 vocab_size) {
        if (vocab_size > kMaxTable) return;
        table_.assign(vocab_size, kNoSymbol);
        for (u64 i = 0; i < alphabet_.size; ++i) table_[u64(alphabet_[i])] = u32(i) + 1;
    }

    u64 rows_ = 0, documents_ = 0;
    Span<i32> alphabet_;
    std::vector<u32> table_;
    std::unique_ptr<Engine> engine_;
};

template <class Symbol>
class TypedIndex : public Index {
public:
    TypedIndex(const Arrays<Symbol>& arrays, const Shape& shape) : a_(arrays) {
        a_.documents = documents_ = shape.documents;
        check_rows();
        a_.rows = rows_;
        postings_ = postings_of(a_.first_row, rows_);
        check_sizes(shape.compact);
        alphabet_ = a_.alphabet;
        check_alphabet(shape.vocab_size);
        fill_table(shape.vocab_size);
        engine_ = make_engine(a_, postings_, shape.compact, shape.baseline);
    }

    u64 length(u64 document) const override {
        const i64 from = a_.offsets[document], to = a_.offsets[document + 1];
        if (from < 0 || to < from || u64(to) > rows_ - documents_) throw Damaged("a document lies outside the text");
        return u64(to - from);
    }

    void extract(u64 document, i32* tokens) const override {
        const u64 size = length(document), start = a_.text_start(document) + 1;
        for (u64 i = 0; i < size; ++i) {
            const u64 s = a_.text[start + i];
            if (s == 0 || s >= a_.symbols) throw Damaged("the text holds an unknown symbol");
            tokens[i] = a_.alphabet[s - 1];
        }
    }

private:
    static void require(bool holds, const char* what) {
        if (!holds) throw Damaged(std::string("the size of section \"") + what + "\" does not fit the others");
    }

    void check_rows() {
        const Span<u64>& first = a_.first_row;
        if (first.size < 2 || first[0] != 0 || first[1] != documents_)
            throw Damaged("the symbols' rows do not start behind the documents");
        for (u64 s = 0; s + 1 < first.size; ++s)
            if (first[s + 1] < first[s] || first[s + 1] - first[s] > UINT32_MAX)
                throw Damaged("the symbols' rows are not ascending");
        rows_ = first[first.size - 1];
        a_.symbols = first.size - 1;
        if (rows_ >= kMaxRows) throw Damaged("there are too many rows");
        require(a_.text.size == rows_ + 1, "text");
    }

    void check_sizes(bool compact) const {
        const Postings& total = postings_.back();
        require(a_.alphabet.size + 1 == a_.symbols, "alphabet");
        require(a_.offsets.size == documents_ + 1, "offsets");
        require(a_.offsets[0] == 0 && u64(a_.offsets[documents_]) == rows_ - documents_, "offsets");
        require(a_.ends.size == documents_, "ends");
        require(a_.hints.size == (rows_ >> kHintShift) + 2, "hints");
        require(a_.marks.size == (rows_ / kMarksPerLine + 1) * 8, "marks");
        require(a_.samples.size == ((rows_ >> kSampleShift) + 1) * a_.sample_bits() / 8 + 1 + kPadding, "samples");
        require(a_.wide_offsets.size >= 1 && a_.wide_rows.size == 2 * (a_.wide_offsets.size - 1), "wide_rows");
        require(a_.wide_symbols.size == a_.wide_counts.size, "wide_counts");
        if (compact) {
            require(a_.wavelet.size == wavelet_levels(a_.symbols) * wavelet_lines(rows_) * kLineBytes, "wavelet");
        } else {
            require(a_.bwt.size == rows_, "bwt");
            require(a_.directory.size == total.directory, "directory");
            require(a_.postings.size == total.bits / 8 + 1 + kPadding, "postings");
        }
    }

    Arrays<Symbol> a_;
    std::vector<Postings> postings_;
};

}  // namespace fm
