// Owned memory of the builder: large pieces ask for huge pages, which halves the cost of random access.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "layout.hpp"

namespace fm {

// A block of T, zero-filled on request. Moves; does not copy.
template <class T>
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(u64 size, bool zero = false) : size_(size) {
        constexpr u64 kHuge = u64{1} << 21;
        const u64 bytes = size * sizeof(T);
        const u64 align = bytes >= kHuge ? kHuge : 64;
        void* at = std::aligned_alloc(align, (bytes + align) / align * align);
        if (!at) throw std::bad_alloc();
#if defined(__linux__)
        if (bytes >= kHuge) madvise(at, bytes, MADV_HUGEPAGE);
#endif
        if (zero) std::memset(at, 0, bytes);
        data_.reset(static_cast<T*>(at));
    }

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    u64 size() const { return size_; }
    T& operator[](u64 i) { return data_.get()[i]; }
    const T& operator[](u64 i) const { return data_.get()[i]; }
    Span<T> span() const { return {data_.get(), size_}; }
    T* release() { return data_.release(); }

private:
    struct Free {
        void operator()(T* at) const { std::free(at); }
    };
    std::unique_ptr<T, Free> data_;
    u64 size_ = 0;
};

}  // namespace fm
