package org.elasticsearch.plugins;

import java.util.List;
import org.elasticsearch.Version;
import org.elasticsearch.env.Environment;

/** Takes the plugins from the class path, where a packaged server would look into its folders. */
public final class ClassPathPlugins extends PluginsService {
    private final List<LoadedPlugin> loaded;

    public ClassPathPlugins(Environment environment, PluginsLoader loader, List<Plugin> plugins) {
        super(environment.settings(), environment.configDir(), loader);
        loaded = plugins.stream().map(ClassPathPlugins::load).toList();
    }

    @Override
    protected List<LoadedPlugin> plugins() {
        return loaded;
    }

    private static LoadedPlugin load(Plugin plugin) {
        String name = plugin.getClass().getName();
        PluginDescriptor descriptor = new PluginDescriptor(
            name, "from the class path", "1", Version.CURRENT.toString(), System.getProperty("java.specification.version"),
            name, null, List.of(), false, false, false, false, PluginDescriptor.DeploymentTarget.ALL
        );
        return new LoadedPlugin(descriptor, plugin, ClassPathPlugins.class.getClassLoader());
    }
}
