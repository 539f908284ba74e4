// What falls to one of several that do a thing together: threads, or processes.
#pragma once

#include <barrier>
#include <concepts>
#include <cstdint>

namespace btm {

// Shares are as nearly equal as can be, and in the order of the members.
struct Share {
  int member = 0, members = 1;
  std::barrier<>* meeting = nullptr;  // of all members; null: there is one

  // Of `count` things: those from begin() up to end().
  template <std::integral Count>
  Count begin(Count count) const {
    return static_cast<Count>(static_cast<std::int64_t>(count) * member / members);
  }
  template <std::integral Count>
  Count end(Count count) const {
    return of(member + 1).begin(count);
  }
  template <std::integral Count>
  Count size(Count count) const {
    return end(count) - begin(count);
  }
  template <std::integral Count>
  Count largest(Count count) const {  // of any member
    return (count + static_cast<Count>(members) - 1) / static_cast<Count>(members);
  }

  Share of(int other) const { return {other, members, meeting}; }

  // Returns when all members are here: what each wrote before, all may read now.
  void meet() const {
    if (meeting) meeting->arrive_and_wait();
  }
};

}  // namespace btm
