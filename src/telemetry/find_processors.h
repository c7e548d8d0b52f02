#pragma once
// The processors that the kernel lists: clusters of CPU cores, the GPU of a Jetson, its DLA cores.

#include <vector>

#include "telemetry/discovery.h"

namespace juggler {

// The cores online, by their clocks' bounds. One cluster without clocks where cpufreq is absent.
std::vector<CpuCluster> find_clusters(HostFiles& host);
Fact<GpuFound> find_gpu(HostFiles& host);
// Deep learning accelerators, by id. Their presence is all that is read: whether TensorRT may use
// one only TensorRT knows.
Fact<std::vector<DlaFound>> find_dla(HostFiles& host);

}  // namespace juggler
