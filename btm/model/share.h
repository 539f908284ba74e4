// What falls to one of several threads that do a thing together.
#pragma once

#include <barrier>
#include <cstdint>

namespace btm {

struct Share {
  int member = 0, members = 1;
  std::barrier<>* meeting = nullptr;  // of all members; null: there is one

  // Of `count` things: those from begin() up to end().
  int begin(int count) const { return static_cast<int>(std::int64_t{count} * member / members); }
  int end(int count) const { return static_cast<int>(std::int64_t{count} * (member + 1) / members); }
  int size(int count) const { return end(count) - begin(count); }
  int largest(int count) const { return (count + members - 1) / members; }  // of any member

  Share of(int other) const { return {other, members, meeting}; }

  // Returns when all members are here: what each wrote before, all may read now.
  void meet() const {
    if (meeting) meeting->arrive_and_wait();
  }
};

}  // namespace btm
