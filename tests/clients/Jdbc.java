// Puts questions to a database through JDBC, as programs of the Java world do, and prints what each answered: one line an answer.
// Run twice, directly and through a portal, the two outputs must be the same text. The address is the first argument, as an
// application is given it; what else proves who asks is in the environment, as for libpq (PGUSER, PGPASSWORD, PGSSLROOTCERT).

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.postgresql.PGConnection;

class Jdbc {
    static final int BIG = 20_000_000;

    public static void main(String[] words) throws Exception {
        try (Connection database = connect(words[0])) {
            types(database);
            prepared(database);
            batches(database);
            cursor(database);
            copies(database);
            transactions(database);
            listens(database, words[0]);
            cancels(database);
            describes(database);
        }
    }

    static Connection connect(String address) throws SQLException {
        Properties proof = new Properties();
        for (String[] pair : new String[][] {
            {"user", "PGUSER"}, {"password", "PGPASSWORD"}, {"sslrootcert", "PGSSLROOTCERT"}
        }) {
            String value = System.getenv(pair[1]);
            // An address that says who asks is taken at its word.
            if (value != null && !address.contains(pair[0] + "=")) proof.setProperty(pair[0], value);
        }
        return DriverManager.getConnection(address, proof);
    }

    static void said(String question, Object answer) {
        System.out.println(question + ": " + answer);
    }

    static void types(Connection database) throws SQLException {
        String all = "select 42::int2, 9007199254740993::int8, 1.10::numeric, 'Zoë ☃ ''quoted'''::text, '\\x00ff'::bytea,"
            + " timestamp '2013-07-04 12:30:00.123456', date '2013-07-04', true, null::int, array[1, null, 3],"
            + " '{\"a\": [1, 2]}'::json, 'NaN'::float8, interval '90 minutes'";
        try (Statement statement = database.createStatement(); ResultSet row = statement.executeQuery(all)) {
            row.next();
            ResultSetMetaData columns = row.getMetaData();
            for (int at = 1; at <= columns.getColumnCount(); at++) {
                said("type " + columns.getColumnTypeName(at), row.getString(at));
            }
        }
    }

    // After five executions the driver prepares the statement at the server, and speaks binary.
    static void prepared(Connection database) throws SQLException {
        try (PreparedStatement statement = database.prepareStatement("select ?::int * 2, ?::text || '!', ?::numeric, ?::bytea")) {
            for (int n = 0; n < 12; n++) {
                statement.setInt(1, n);
                statement.setString(2, "n" + n);
                statement.setBigDecimal(3, new BigDecimal("0.10").multiply(BigDecimal.valueOf(n)));
                statement.setBytes(4, new byte[] {0, (byte) n});
                try (ResultSet row = statement.executeQuery()) {
                    row.next();
                    said("prepared " + n, row.getInt(1) + " " + row.getString(2) + " " + row.getBigDecimal(3) + " " + row.getBytes(4)[1]);
                }
            }
        }
    }

    static void batches(Connection database) throws SQLException {
        try (Statement statement = database.createStatement()) {
            statement.execute("create temp table kept (n serial primary key, what text)");
        }
        try (PreparedStatement insert = database.prepareStatement("insert into kept (what) values (?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int n = 0; n < 500; n++) {
                insert.setString(1, "row " + n);
                insert.addBatch();
            }
            said("batch", insert.executeBatch().length);
            try (ResultSet keys = insert.getGeneratedKeys()) {
                int last = 0;
                while (keys.next()) last = keys.getInt(1);
                said("last key", last);
            }
        }
    }

    // Rows come a thousand at a time: each time the same portal is asked for more.
    static void cursor(Connection database) throws SQLException {
        database.setAutoCommit(false);
        try (Statement statement = database.createStatement()) {
            statement.setFetchSize(1000);
            try (ResultSet rows = statement.executeQuery("select flight, dep_delay from public.flights order by year, month, day, flight, carrier, origin, dep_time, dest")) {
                long count = 0, sum = 0;
                while (rows.next()) {
                    count++;
                    sum += 31 * rows.getLong(1) + rows.getLong(2);
                }
                said("cursor", count + " " + sum);
            }
        }
        database.commit();
        database.setAutoCommit(true);
    }

    static void copies(Connection database) throws Exception {
        var copy = database.unwrap(PGConnection.class).getCopyAPI();
        said("copied in", copy.copyIn("copy kept (what) from stdin", new StringReader("one\ntwo\n\\N\n")));
        StringWriter out = new StringWriter();
        said("copied out", copy.copyOut("copy (select what from kept order by n desc limit 3) to stdout", out));
        said("copy", out.toString().replace("\n", "|"));
        try (Statement statement = database.createStatement(); ResultSet row = statement.executeQuery("select repeat('x', " + BIG + ")")) {
            row.next();
            said("large value", row.getString(1).length());
        }
        try {
            copy.copyIn("copy kept (n) from stdin", new StringReader("no number\n"));
        } catch (SQLException error) {
            said("bad copy", error.getSQLState());
        }
    }

    static void transactions(Connection database) throws SQLException {
        database.setAutoCommit(false);
        try (Statement statement = database.createStatement()) {
            statement.executeUpdate("delete from kept where n > 10");
            Savepoint before = database.setSavepoint();
            try {
                statement.executeUpdate("insert into kept (n) values (1)");
            } catch (SQLException error) {
                said("twice", error.getSQLState());
                database.rollback(before);
            }
            said("in the transaction", one(statement, "select count(*) from kept"));
            database.rollback();
            said("rolled back", one(statement, "select count(*) from kept"));
            database.commit();
        }
        database.setAutoCommit(true);
    }

    static void listens(Connection database, String address) throws SQLException {
        try (Connection other = connect(address); Statement hears = other.createStatement(); Statement says = database.createStatement()) {
            hears.execute("listen jdbc");
            says.execute("notify jdbc, 'news'");
            var news = other.unwrap(PGConnection.class).getNotifications(10_000);
            said("notified", news.length + " " + news[0].getName() + " " + news[0].getParameter());
        }
    }

    static void cancels(Connection database) throws Exception {
        try (Statement statement = database.createStatement()) {
            CompletableFuture<Void> canceller = CompletableFuture.runAsync(() -> {
                try {
                    TimeUnit.SECONDS.sleep(1);
                    statement.cancel();
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            try {
                statement.execute("select pg_sleep(60)");
                said("cancelled", "no");
            } catch (SQLException error) {
                said("cancelled", error.getSQLState());
            }
            canceller.get();
            statement.setQueryTimeout(1);
            try {
                statement.execute("select pg_sleep(60)");
                said("timed out", "no");
            } catch (SQLException error) {
                said("timed out", error.getSQLState());
            }
            statement.setQueryTimeout(0);
            said("after that", one(statement, "select 'well'"));
        }
    }

    static void describes(Connection database) throws SQLException {
        DatabaseMetaData data = database.getMetaData();
        said("server", data.getDatabaseProductName() + " " + data.getDatabaseMajorVersion());
        try (ResultSet columns = data.getColumns(null, "public", "flights", null)) {
            while (columns.next()) said("column", columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME"));
        }
        try (ResultSet keys = data.getPrimaryKeys(null, "public", "planes")) {
            while (keys.next()) said("key", keys.getString("COLUMN_NAME"));
        }
    }

    static String one(Statement statement, String question) throws SQLException {
        try (ResultSet row = statement.executeQuery(question)) {
            row.next();
            return row.getString(1);
        }
    }
}
