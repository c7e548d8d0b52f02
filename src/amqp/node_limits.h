#pragma once
// What a private node may hold: values that fit each other, so that overload shows as a nack of one
// task and not as the node's memory alarm, which stops everybody, the controller's answers
// included.

#include <algorithm>
#include <cstdint>

namespace juggler::amqp {

inline constexpr std::int64_t kMegabyte = 1'000'000;
inline constexpr std::int64_t kMebibyte = std::int64_t{1} << 20U;

// The sum, for pictures of half a megabyte at most, in the node's memory:
//
//   the node itself, idle                                                        180 MB
//   unacknowledged by the controller: the payloads that it serves at once (256 MiB; kept in memory
//     though the queue is lazy, where they were delivered without waiting)       268 MB
//   on their way to the controller: 200 messages to one channel, RabbitMQ's own bound   100 MB
//   dispatches of them on the devices' queues: what the processors' windows hold  50 MB
//   under way into queues: kCredit messages, twice, for each of five clients      160 MB
//
// 758 MB; the rest is for what Erlang has not collected yet. Measured: 704 MB at most, with 8,000
// tasks of five clients at once.
//
// Tasks that nobody has taken yet are not in it: their queue is lazy, so they wait on disk, up to
// kTasksReadyBytesMax; beyond that they are nacked. Of larger pictures fewer are served at once,
// but what is under way counts messages: floods of payloads of several megabytes may still alarm.
//
// Each device adds half a megabyte (connection, channel, two queues), and from half of its memory
// on a node writes to disk what it need not: of a thousand devices at rest with 520 MB, one that
// might hold 896 MB carried a fifth of the tasks. So where the machine has it, a node may hold
// more.
inline constexpr std::int64_t kNodeMemoryMin = 896 * kMegabyte;
inline constexpr std::int64_t kNodeMemoryMax = 2'400 * kMegabyte;
inline constexpr std::int64_t kNodeIdle = 180 * kMegabyte;
inline constexpr std::int64_t kPictureMax = kMegabyte / 2;
inline constexpr std::int64_t kUnsentMax = 200;  // RabbitMQ's UNSENT_MESSAGE_LIMIT
inline constexpr std::int64_t kDispatchedBytes = 50 * kMegabyte;
inline constexpr std::int64_t kCredit = 32;  // RabbitMQ's own is 400: 200 MB for each client
inline constexpr std::int64_t kClients = 5;

// Of each connection, in the kernel, which doubles it. The node reads into memory of the largest of
// a socket's buffers, and on the loopback Linux makes that 4 MB: a thousand heartbeats of half a
// kilobyte cost a thousand times 4 MB, allocated and given back.
inline constexpr std::int64_t kSocketBuffer = 128 * 1024;

// Results are a few kilobytes each, and as many as attempts in flight: far below this, unless
// somebody floods.
inline constexpr std::int64_t kResultsReadyBytesMax = 64 * kMebibyte;

// A thousand pictures of 150 KB wait or are served: 150 MB.
inline constexpr std::int64_t kTasksReadyBytesMax = 128 * kMebibyte;

// Of one reply queue. An outcome is half a kilobyte, one with a thousand labels 60 KB: so much
// waits only for who has stopped reading.
inline constexpr std::int64_t kRepliesReadyBytesMax = 64 * kMebibyte;
// A reply queue that nobody has read or declared for so long is left over. Outcomes may be fetched
// later: by who was away for a weekend, too.
inline constexpr std::int64_t kRepliesUnusedMaxMs = std::int64_t{7} * 24 * 3'600 * 1'000;
// Of all: a controller takes 4,096 devices, with two each; the rest are the reply queues of
// clients.
inline constexpr std::int64_t kQueuesMax = 20'000;

// Bytes are counted of bodies alone, so each queue has a count too: an empty message may carry
// headers of kHeadersMax, and of a message that was dead-lettered the node keeps them in memory
// (measured on 3.10: 117 MB for 900 of them).
//
// Frames are no larger than this, and all headers of a message fit one: RabbitMQ's own default,
// and what Juggler's programs ask for. A failed task's history needs half of it.
inline constexpr std::int64_t kHeadersMax = 128 * 1024;
// Waiting: beside them a leader holds 4,096. Of pictures of 7 KB and more the bytes count first.
inline constexpr std::int64_t kTasksReadyMax = 20'000;
// Of as many attempts as 4,096 tasks have under way, a second one for each included. A device that
// is refused sends again.
inline constexpr std::int64_t kResultsReadyMax = 10'000;
// Of one reply queue: twelve times what a leader serves at once, 25 MB of outcomes of half a
// kilobyte.
inline constexpr std::int64_t kRepliesReadyMax = 50'000;
// Of each of juggler.unrouted and juggler.failed, where the oldest goes: more than a leader serves
// at once, so that what one client or one bad model leaves behind is there in full.
inline constexpr std::int64_t kLeftReadyMax = 5'000;
// Of juggler.dead, where anybody's junk ends and the node keeps headers in memory: 131 MB at most.
inline constexpr std::int64_t kDeadReadyMax = 1'000;

// What it may hold where so much is free: two fifths, as RabbitMQ has it.
constexpr std::int64_t node_memory(std::int64_t free) {
  return std::clamp(free / 5 * 2, kNodeMemoryMin, kNodeMemoryMax);
}

// The node's memory when so many bytes of payloads are being served and everything is full.
constexpr std::int64_t node_memory_full(std::int64_t served) {
  return kNodeIdle + served + kUnsentMax * kPictureMax + kDispatchedBytes +
         2 * kCredit * kPictureMax * kClients;
}

}  // namespace juggler::amqp
