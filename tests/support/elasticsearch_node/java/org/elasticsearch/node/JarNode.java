package org.elasticsearch.node;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.plugins.ClassPathPlugins;
import org.elasticsearch.plugins.PluginsLoader;
import org.elasticsearch.plugins.PluginsService;
import org.elasticsearch.transport.netty4.Netty4Plugin;

/** A node of the published jars alone. Arguments: settings as key=value. Runs until terminated or until stdin ends. */
public final class JarNode extends Node {
    private JarNode(Environment environment) {
        super(NodeConstruction.prepareConstruction(
            environment, PluginsLoader.createPluginsLoader(Set.of(), Set.of(), Map.of(), false), new Services(), true
        ));
    }

    private static final class Services extends NodeServiceProvider {
        @Override
        PluginsService newPluginService(Environment environment, PluginsLoader loader) {
            return new ClassPathPlugins(environment, loader, List.of(new Netty4Plugin(), new RootPlugin()));
        }
    }

    public static void main(String[] arguments) throws Exception {
        LogConfigurator.configureESLogging();
        Settings.Builder settings = Settings.builder();
        for (String argument : arguments) {
            String[] pair = argument.split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        Path home = Path.of(settings.get("path.home"));
        Environment environment = InternalSettingsPreparer.prepareEnvironment(
            settings.build(), Map.of(), home.resolve("config"), () -> "node"
        );
        LogConfigurator.configureWithoutConfig(environment.settings());
        Node node = new JarNode(environment);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
                node.awaitClose(10, TimeUnit.SECONDS);
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        node.start();
        while (System.in.read() >= 0) {
            // the one who started this node holds the other end, so the node never outlives it
        }
        System.exit(0);
    }
}
