// The contract, held against the real broker.

#include "support/broker_node.h"

namespace juggler::test {
namespace {

BrokerUnderTest& real() { return BrokerNode::get(); }

INSTANTIATE_TEST_SUITE_P(RabbitMq, BrokerContract, ::testing::Values(&real),
                         [](const auto&) { return std::string("Node"); });

}  // namespace
}  // namespace juggler::test
