// Writes the wavelet matrix of profile "compact" (see layout.hpp) from the BWT, level by level.
#pragma once

#include "build_rows.hpp"

namespace fm {

template <class Symbol>
class WaveletWriter {
public:
    WaveletWriter(Buffer<Symbol> bwt, u64 symbols)
        : current_(std::move(bwt)), next_(current_.size()), levels_(wavelet_levels(symbols)),
          lines_(wavelet_lines(current_.size())), out_(levels_ * lines_ * kLineBytes, true) {}

    Buffer<u8> run(const Progress& progress) {
        for (unsigned level = 0; level < levels_; ++level) {
            const unsigned shift = 2 * (levels_ - 1 - level);
            write_level(level, shift);
            distribute(shift);
            progress.tick(level + 1, levels_);
        }
        return std::move(out_);
    }

private:
    void write_level(unsigned level, unsigned shift) {
        u64 counts[4] = {0, 0, 0, 0};
        for (u64 line = 0; line < lines_; ++line) {
            u8* at = out_.data() + (level * lines_ + line) * kLineBytes;
            store64(at, counts[1] | counts[2] << 40);
            store64(at + 8, counts[2] >> 24 | counts[3] << 16);
            for (u64 word = 0; word < 7; ++word) write_word(at, line * kDigitsPerLine + word * 64, word, shift, counts);
        }
    }

    void write_word(u8* at, u64 row, u64 word, unsigned shift, u64* counts) {
        u64 upper = 0, lower = 0;
        for (unsigned bit = 0; bit < 64 && row + bit < current_.size(); ++bit) {
            const u64 digit = (u64(current_[row + bit]) >> shift) & 3;
            upper |= (digit >> 1) << bit;
            lower |= (digit & 1) << bit;
            ++counts[digit];
        }
        store64(at + 16 + 8 * word, upper);
        store64(at + 72 + 8 * word, lower);
    }

    // A stable sort by this level's digit.
    void distribute(unsigned shift) {
        u64 at[5] = {0, 0, 0, 0, 0};
        for (u64 i = 0; i < current_.size(); ++i) ++at[((u64(current_[i]) >> shift) & 3) + 1];
        for (unsigned digit = 0; digit < 4; ++digit) at[digit + 1] += at[digit];
        for (u64 i = 0; i < current_.size(); ++i) next_[at[(u64(current_[i]) >> shift) & 3]++] = current_[i];
        std::swap(current_, next_);
    }

    Buffer<Symbol> current_, next_;
    unsigned levels_;
    u64 lines_;
    Buffer<u8> out_;
};

}  // namespace fm
