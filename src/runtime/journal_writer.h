#pragma once
// Writes every step of a controller to a journal, on a thread of its own: the controller never
// waits for a disk. What cannot be written leaves a gap that the journal names.

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/controller_shell.h"
#include "runtime/journal_files.h"
#include "runtime/mutex.h"
#include "wire/journal.h"

namespace juggler {

struct JournalOptions {
  std::filesystem::path folder;
  Bytes bytes_max = kJournalBytesMaxDefault;
};

class JournalWriter final : public ControllerObserver {
 public:
  // Begins a run: writes the head of its first segment, so that a folder that cannot be written is
  // known at the start. `head` needs policy, version and configuration alone.
  static Result<std::unique_ptr<JournalWriter>> open(const JournalOptions& options,
                                                     wire::JournalHead head);
  // Writes what still waits.
  ~JournalWriter() override;
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  void before(Time /*now*/, ControllerEvent& /*event*/) override {}
  void after(Time now, const ControllerEvent& event,
             std::vector<ControllerAction>& actions) override;

  // Waits until nothing waits any more: it is written, or lost.
  void flush();

 private:
  // What the controller's thread hands to the writer's.
  struct Batch {
    std::string lines;
    std::int64_t steps = 0;
    std::vector<std::pair<std::string, std::string>> hellos;  // device, its line for openings
    std::int64_t lost = 0;                                    // steps after them that did not fit
    bool empty() const { return steps == 0 && lost == 0; }
  };

  JournalWriter(const JournalOptions& options, wire::JournalHead head);
  std::string opening(std::int64_t segment);
  bool take(Batch& batch);
  void write(Batch& batch);
  void lose(std::int64_t steps, const std::string& reason);

  const std::size_t waiting_bytes_max_;

  Mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable idle_;
  Batch waiting_ GUARDED_BY(mutex_);
  bool writing_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;

  // The writer's thread's alone.
  wire::JournalHead head_;
  JournalFiles files_;
  std::map<std::string, std::string> known_;  // devices that said hello, as a segment begins
  std::size_t known_bytes_ = 0;
  wire::JournalGap gap_;  // not yet written
  Time warn_from_{};  // not more often than people read

  std::jthread thread_;
};

}  // namespace juggler
