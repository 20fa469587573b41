// SimGrid's side: reads a star (benchmarks/star.py), prints processor seconds (of solving, of all), peak memory (bytes) and each worker's end.
// One actor starts all messages, which is faster here than an actor for each worker.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <map>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <simgrid/s4u.hpp>

namespace sg = simgrid::s4u;

int main(int argc, char** argv) {
  sg::Engine engine(&argc, argv);
  int n, k;
  double nbytes;
  std::cin >> n >> k >> nbytes;
  std::vector<double> up(n), down(k), start(n), end(n, 0.0);
  for (auto* values : {&up, &down, &start})
    for (double& value : *values)
      std::cin >> value;

  auto* zone = sg::create_star_zone("zone");
  auto add_host = [&](const std::string& name, double rate) {
    auto* host = zone->create_host(name, 1e9);
    auto* link = zone->create_link(name + ".link", rate)->set_latency(0)->seal();
    std::vector<sg::LinkInRoute> route{sg::LinkInRoute(link)};
    zone->add_route(host->get_netpoint(), nullptr, nullptr, nullptr, route, true);
    return host->seal();
  };
  std::vector<sg::Host*> workers, shards;
  for (int i = 0; i < n; i++)
    workers.push_back(add_host("worker-" + std::to_string(i), up[i]));
  for (int j = 0; j < k; j++)
    shards.push_back(add_host("shard-" + std::to_string(j), down[j]));
  zone->seal();

  std::map<double, std::vector<int>> starting;
  for (int i = 0; i < n; i++)
    starting[start[i]].push_back(i);
  sg::Actor::create("all", workers[0], [&] {
    std::vector<sg::CommPtr> messages;
    std::vector<int> sender;
    for (auto& [instant, who] : starting) {
      sg::this_actor::sleep_until(instant);
      for (int i : who)
        for (auto* shard : shards) {
          messages.push_back(sg::Comm::sendto_async(workers[i], shard, nbytes));
          sender.push_back(i);
        }
    }
    sg::Comm::wait_all(messages);
    for (size_t m = 0; m < messages.size(); m++)
      end[sender[m]] = std::max(end[sender[m]], messages[m]->get_finish_time());
  });

  auto processor_seconds = [] { return double(std::clock()) / CLOCKS_PER_SEC; };
  double began = processor_seconds();
  engine.run();
  double seconds = processor_seconds() - began;
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  std::printf("%.6f %.6f %ld\n", seconds, processor_seconds(), used.ru_maxrss * 1024L);
  for (double instant : end)
    std::printf("%.17g ", instant);
  std::printf("\n");
}
