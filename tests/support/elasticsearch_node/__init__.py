"""A real Elasticsearch node from the published jars, for tests and development.

The jars come by Maven, a small Java program starts them. Security, scripts and the other modules of a
packaged server are not among the published jars; what the product uses is all there.
"""

from tests.support.elasticsearch_node.cluster import ElasticsearchCluster
from tests.support.elasticsearch_node.jars import prepare
from tests.support.elasticsearch_node.node import ElasticsearchNode

__all__ = ["ElasticsearchCluster", "ElasticsearchNode", "prepare"]
