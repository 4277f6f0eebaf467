// A few threads that share the pieces of one call, and memory that calls use again.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <unistd.h>
#endif

#include "common.hpp"

namespace fm {

// Runs task(0) ... task(count - 1), the first on the calling thread. One call at a time; another that comes
// meanwhile runs its tasks alone. Threads do not survive fork: a child starts its own.
class Workers {
public:
    using Task = std::function<void(u64)>;

    ~Workers() { stop(); }

    void run(u64 count, const Task& task) {
        std::unique_lock<std::mutex> busy(busy_, std::try_to_lock);
        if (count <= 1 || !busy.owns_lock()) {
            for (u64 i = 0; i < count; ++i) task(i);
            return;
        }
        start(count - 1);
        {
            std::lock_guard<std::mutex> lock(state_->mutex);
            state_->task = &task;
            state_->tasks = count - 1;
            state_->left = count - 1;
            state_->error = nullptr;
            ++state_->round;
        }
        state_->wake.notify_all();
        finish(task);
    }

private:
    struct State {
        std::mutex mutex;
        std::condition_variable wake, done;
        const Task* task = nullptr;
        u64 tasks = 0, left = 0, round = 0;
        bool stopping = false;
        std::exception_ptr error;
    };

    void finish(const Task& task) {
        std::exception_ptr error;
        try {
            task(0);
        } catch (...) {
            error = std::current_exception();
        }
        std::unique_lock<std::mutex> lock(state_->mutex);
        state_->done.wait(lock, [&] { return state_->left == 0; });
        state_->task = nullptr;
        if (!error) error = state_->error;
        lock.unlock();
        if (error) std::rethrow_exception(error);
    }

    void start(u64 helpers) {
        if (process_ != process()) {
            // A forked child: the threads and whatever they held exist only in the parent.
            if (!threads_.empty()) new std::vector<std::thread>(std::move(threads_));
            threads_.clear();
            state_ = std::make_shared<State>();
            process_ = process();
        }
        while (threads_.size() < helpers) {
            const u64 number = threads_.size();
            const u64 seen = state_->round;
            threads_.emplace_back([state = state_, number, seen] { serve(*state, number, seen); });
        }
    }

    static void serve(State& state, u64 number, u64 seen) {
        std::unique_lock<std::mutex> lock(state.mutex);
        while (true) {
            state.wake.wait(lock, [&] { return state.stopping || state.round != seen; });
            if (state.stopping) return;
            seen = state.round;
            if (number >= state.tasks) continue;
            const Task& task = *state.task;
            lock.unlock();
            std::exception_ptr error;
            try {
                task(number + 1);
            } catch (...) {
                error = std::current_exception();
            }
            lock.lock();
            if (error) state.error = error;
            if (--state.left == 0) state.done.notify_one();
        }
    }

    void stop() {
        if (threads_.empty()) return;
        if (process_ != process()) {
            new std::vector<std::thread>(std::move(threads_));
            return;
        }
        {
            std::lock_guard<std::mutex> lock(state_->mutex);
            state_->stopping = true;
        }
        state_->wake.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    static i64 process() {
#if defined(_WIN32)
        return 0;
#else
        return i64(getpid());
#endif
    }

    std::mutex busy_;
    std::shared_ptr<State> state_ = std::make_shared<State>();
    std::vector<std::thread> threads_;
    i64 process_ = process();
};

// Objects that calls take and give back; what is kept is bounded by the number of calls at once.
template <class T>
class Pool {
public:
    std::unique_ptr<T> take() {
        std::lock_guard<std::mutex> lock(mutex_);
        if (free_.empty()) return std::make_unique<T>();
        std::unique_ptr<T> object = std::move(free_.back());
        free_.pop_back();
        return object;
    }

    void give(std::unique_ptr<T> object) {
        std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(object));
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<T>> free_;
};

// Memory for results. Fresh memory costs a page fault for every 4 KiB, as much as filling it: blocks whose
// arrays are gone are used again. At most kKept bytes wait for that.
class Blocks : public std::enable_shared_from_this<Blocks> {
public:
    struct Block {
        std::unique_ptr<u8[]> data;
        u64 size;
    };

    Block take(u64 bytes) {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            for (u64 i = free_.size(); i-- > 0;) {
                if (free_[i].size < bytes || free_[i].size > 4 * bytes + kSmall) continue;
                Block block = std::move(free_[i]);
                free_.erase(free_.begin() + i64(i));
                kept_ -= block.size;
                return block;
            }
        }
        u64 size = kSmall;
        while (size < bytes) size += size / 2;
        return {std::unique_ptr<u8[]>(new u8[size]), size};
    }

    void give(Block block) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (kept_ + block.size > kKept) return;
        kept_ += block.size;
        free_.push_back(std::move(block));
    }

private:
    static constexpr u64 kSmall = 4096, kKept = u64{1} << 28;
    std::mutex mutex_;
    std::vector<Block> free_;
    u64 kept_ = 0;
};

}  // namespace fm
