// How far a long computation is, and whether it should go on. Knows nothing of Python.
#pragma once

#include <functional>
#include <utility>

#include "common.hpp"

namespace fm {

// Calls `report(stage, fraction)` at most about a hundred times a stage; `report` throws to cancel.
class Progress {
public:
    using Report = std::function<void(const char*, double)>;

    Progress() = default;
    explicit Progress(Report report) : report_(std::move(report)) {}

    void stage(const char* name) {
        stage_ = name;
        tick(0, 1);
    }

    void tick(u64 done, u64 total) const {
        if (report_) report_(stage_, total ? double(done) / double(total) : 1.0);
    }

private:
    Report report_;
    const char* stage_ = "";
};

// Runs body(begin, end) over [0, size) in about sixty-four pieces, reporting after each.
template <class Body>
void in_pieces(u64 size, const Progress& progress, Body&& body) {
    const u64 piece = size / 64 + (u64{1} << 16);
    for (u64 begin = 0; begin < size; begin += piece) {
        const u64 end = begin + piece < size ? begin + piece : size;
        body(begin, end);
        progress.tick(end, size);
    }
}

}  // namespace fm
