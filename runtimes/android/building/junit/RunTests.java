import java.util.ArrayList;
import java.util.List;
import org.junit.internal.TextListener;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/** Runs test classes as JUnitCore does, and says which tests were skipped: JUnitCore calls them OK. */
public final class RunTests {
    private RunTests() {}

    public static void main(String[] names) throws ClassNotFoundException {
        List<String> skipped = new ArrayList<>();
        JUnitCore junit = new JUnitCore();
        junit.addListener(new TextListener(System.out));
        junit.addListener(new RunListener() {
            @Override
            public void testAssumptionFailure(Failure failure) {
                skipped.add(failure.getDescription() + ": " + failure.getMessage());
            }

            @Override
            public void testIgnored(Description description) {
                skipped.add(description + ": ignored");
            }
        });
        Class<?>[] classes = new Class<?>[names.length];
        for (int at = 0; at < names.length; at++) classes[at] = Class.forName(names[at]);
        Result result = junit.run(classes);
        System.out.println("skipped: " + skipped.size());
        for (String line : skipped) System.out.println(line);
        System.exit(result.wasSuccessful() ? 0 : 1);
    }
}
